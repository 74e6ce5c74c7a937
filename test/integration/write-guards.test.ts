import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  Memory_Kind as Kind,
  type Memory,
  SearchMemoriesRequest_Mode as Mode,
  OnDuplicate,
  Memory_State as State,
} from "#gen/recollect/v1/memory_pb.js";
import { NOW } from "../support/builders.ts";
import { refusalOf, toRefusal } from "../support/errors.ts";
import { fakeSecrets } from "../support/fake-secrets.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

const [AWS, OTHER_AWS, , BEDROCK] = fakeSecrets(7);
const KEY = AWS?.secret ?? "";
const OTHER = OTHER_AWS?.secret ?? "";
const BEDROCK_KEY = BEDROCK?.secret ?? "";
const FLAG = "secret:aws_access_key";

/** Apps by the value of MEMORY_SECRETS, with a clock of their own. */
const apps = new Map<string, TestApp>();
let now = NOW;

beforeAll(async () => {
  for (const action of ["flag", "redact", "quarantine", "reject", "off"]) {
    apps.set(
      action,
      await startApp({ env: { MEMORY_SECRETS: action }, overrides: { clock: { now: () => now } } }),
    );
  }
});
afterAll(async () => {
  for (const app of apps.values()) await app[Symbol.asyncDispose]();
});

function appWith(action: string): TestApp {
  const app = apps.get(action);
  if (app === undefined) throw new Error(`no app with ${action}`);
  return app;
}

async function read(app: TestApp, namespace: string, id: string): Promise<Memory | undefined> {
  const { memories } = await app.memory.batchGetMemories({ namespace, ids: [id] });
  return memories[0];
}

async function exported(app: TestApp, namespace: string): Promise<Memory[]> {
  const memories: Memory[] = [];
  for await (const { memory } of app.memory.exportMemories({ namespace })) if (memory) memories.push(memory);
  return memories;
}

async function imported(app: TestApp, namespace: string, memories: readonly Memory[]) {
  async function* requests() {
    yield { namespace, sequence: 1, memories: [...memories] };
  }
  const [progress] = await Array.fromAsync(app.memory.importMemories(requests()));
  return progress;
}

async function found(
  app: TestApp,
  namespace: string,
  words: string,
  mode = Mode.UNSPECIFIED,
): Promise<string[]> {
  const query = { by: { case: "text" as const, value: words } };
  const { results } = await app.memory.searchMemories({ namespace, query, mode });
  return results.map(({ memory }) => memory?.id ?? "");
}

describe("a secret in a memory", () => {
  const text = `the key is ${KEY}`;

  it("is flagged by default, also in metadata, and in no memory without one", async () => {
    await using app = await startApp();
    const namespace = "default";
    const { memory } = await app.memory.createMemory({
      namespace,
      memory: { text, metadata: { token: BEDROCK_KEY } },
    });
    expect(memory).toMatchObject({ text, flags: [FLAG, "secret:aws_bedrock_key"], state: State.ACTIVE });
    expect(await read(app, namespace, memory?.id ?? "")).toMatchObject({ text, flags: memory?.flags });
    const plain = await app.memory.createMemory({
      namespace,
      memory: { text: "likes tea", flags: ["secret:jwt"] },
    });
    expect(plain.memory?.flags).toEqual([]);
  });

  it("is replaced by its name before anything is stored, with redact", async () => {
    const app = appWith("redact");
    const namespace = "redacted";
    const request = {
      namespace,
      requestId: "once",
      memories: [
        { id: "a", text, metadata: { note: `use ${BEDROCK_KEY}`, password: "tea4two!" } },
        { id: "b", text: `the key is ${OTHER}` },
      ],
    };
    const first = await app.memory.batchCreateMemories(request);
    expect(first.results.map(({ duplicate }) => duplicate)).toEqual([false, true]);
    const expected = {
      text: "the key is [redacted:aws_access_key]",
      metadata: { note: "use [redacted:aws_bedrock_key]", password: "[redacted:password]" },
      flags: [FLAG, "secret:aws_bedrock_key", "secret:password"],
      state: State.ACTIVE,
    };
    expect(await read(app, namespace, "a")).toMatchObject(expected);
    expect(await found(app, namespace, KEY, Mode.KEYWORD)).toEqual([]);
    expect((await app.memory.batchCreateMemories(request)).results.map(({ duplicate }) => duplicate)).toEqual(
      [false, true],
    );
    const stored = await readdir(app.dataDir, { recursive: true, withFileTypes: true });
    const files = await Promise.all(
      stored
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => readFile(join(parentPath, name), "latin1")),
    );
    expect(files.filter((content) => content.includes(KEY) || content.includes("tea4two!"))).toEqual([]);
    // A new text without a secret, beside metadata that was redacted before.
    const { memory } = await app.memory.updateMemory({ namespace, memory: { id: "a", text: "no key" } });
    expect(memory?.flags).toEqual(["secret:aws_bedrock_key", "secret:password"]);
  });

  it("is left out of default reads, with quarantine", async () => {
    const app = appWith("quarantine");
    const namespace = "quarantined";
    const { memory } = await app.memory.createMemory({ namespace, memory: { id: "q", text } });
    expect(memory).toMatchObject({ text, flags: [FLAG], state: State.QUARANTINED });
    await app.memory.createMemory({ namespace, memory: { id: "plain", text: "the key to the door is red" } });
    expect(await found(app, namespace, "key")).toEqual(["plain"]);
    const listed = await app.memory.listMemories({ namespace, filter: { states: [State.QUARANTINED] } });
    expect(listed.memories.map(({ id }) => id)).toEqual(["q"]);
    const request = { namespace, requestId: "u", memory: { id: "plain", text } };
    const { memory: updated } = await app.memory.updateMemory(request);
    expect(updated).toMatchObject({ text, flags: [FLAG], state: State.QUARANTINED });
    expect((await app.memory.updateMemory(request)).memory).toEqual(updated);
    expect(await found(app, namespace, "key")).toEqual([]);
    const correction = app.memory.updateMemory({ namespace, memory: { id: "plain", text: "x" } });
    expect(await refusalOf(correction)).toMatchObject({ reason: "MEMORY_NOT_ACTIVE" });
    const { memory: released } = await app.memory.restoreMemory({ namespace, id: "q" });
    expect(released).toMatchObject({ text, flags: [FLAG], state: State.ACTIVE });
    const { memory: restored } = await app.memory.restoreMemory({ namespace, id: "plain", revision: 1 });
    expect(restored).toMatchObject({ text: "the key to the door is red", flags: [], state: State.ACTIVE });
    expect((await found(app, namespace, "key")).sort()).toEqual(["plain", "q"]);
  });

  it("is refused with reject, by field and form, and never quoted", async () => {
    const app = appWith("reject");
    const namespace = "rejected";
    const create = () =>
      app.memory.createMemory({
        namespace,
        requestId: "r",
        memory: { id: "a", text: "x", metadata: { a: { b: text } } },
      });
    for (let time = 0; time < 3; time += 1) {
      const refusal = await refusalOf(create());
      expect(refusal).toMatchObject({
        code: "InvalidArgument",
        reason: "SECRET_REFUSED",
        metadata: { field: "memory.metadata", pattern: "aws_access_key" },
        fields: ["memory.metadata"],
      });
      expect(JSON.stringify(refusal)).not.toContain(KEY);
    }
    const { results } = await app.memory.batchCreateMemories({
      namespace,
      memories: [
        { id: "b", text: "plain" },
        { id: "c", text },
      ],
    });
    expect(results.map(({ outcome }) => outcome.case)).toEqual(["memory", "error"]);
    const updated = app.memory.updateMemory({ namespace, memory: { id: "b", text } });
    expect(await refusalOf(updated)).toMatchObject({ metadata: { field: "memory.text" } });
    expect(
      (await app.memory.updateMemory({ namespace, memory: { id: "b", importance: 1 } })).memory?.importance,
    ).toBe(1);
    expect((await exported(app, namespace)).map(({ id, text: stored }) => [id, stored])).toEqual([
      ["b", "plain"],
    ]);
  });

  it("is not looked for with off", async () => {
    const app = appWith("off");
    const { memory } = await app.memory.createMemory({ namespace: "off", memory: { text } });
    expect(memory).toMatchObject({ text, flags: [], state: State.ACTIVE });
  });

  it("keeps its flags in an update of other fields, and loses them with the text", async () => {
    const app = appWith("flag");
    const namespace = "updates";
    await app.memory.createMemory({ namespace, memory: { id: "a", text } });
    const update = async (change: object): Promise<readonly string[] | undefined> =>
      (await app.memory.updateMemory({ namespace, memory: { id: "a", ...change } })).memory?.flags;
    expect(await update({ importance: 1 })).toEqual([FLAG]);
    expect(await update({ metadata: { a: BEDROCK_KEY } })).toEqual([FLAG, "secret:aws_bedrock_key"]);
    expect(await update({ text: "no key" })).toEqual(["secret:aws_bedrock_key"]);
    expect(await update({ metadata: { a: 1 } })).toEqual([]);
  });

  it("is exported and imported with its flags and etag; an import keeps what it is given", async () => {
    const namespace = "transfer";
    await appWith("flag").memory.createMemory({ namespace, memory: { id: "a", text } });
    await appWith("quarantine").memory.createMemory({ namespace, memory: { id: "q", text: `${text}!` } });
    const memories = [
      ...(await exported(appWith("flag"), namespace)),
      ...(await exported(appWith("quarantine"), namespace)),
    ];
    expect(memories.map(({ flags }) => flags)).toEqual([[FLAG], [FLAG]]);
    for (const action of ["off", "flag", "quarantine"]) {
      const app = appWith(action);
      expect((await imported(app, "imported", memories))?.importedCount).toBe(2);
      expect(await exported(app, "imported")).toEqual(memories);
    }
  });

  it("is not stored by an import either, with redact and with reject", async () => {
    const namespace = "imports";
    await appWith("off").memory.createMemory({ namespace, memory: { id: "a", text } });
    await appWith("off").memory.createMemory({ namespace, memory: { id: "b", text: "plain" } });
    const memories = await exported(appWith("off"), namespace);
    expect(await imported(appWith("redact"), namespace, memories)).toMatchObject({ importedCount: 2 });
    const a = await read(appWith("redact"), namespace, "a");
    expect(a).toMatchObject({ text: "the key is [redacted:aws_access_key]", flags: [FLAG] });
    const progress = await imported(appWith("reject"), namespace, memories);
    expect(progress).toMatchObject({ importedCount: 1, refusedCount: 1, refusals: [{ index: 0 }] });
    expect(JSON.stringify(progress?.refusals[0]?.error?.message)).not.toContain(KEY);
    expect(await read(appWith("reject"), namespace, "a")).toBeUndefined();
  });

  it("is counted by guard and action", async () => {
    for (const action of ["flag", "redact", "quarantine", "reject"]) {
      const page = await (await fetch(`${appWith(action).httpUrl}/metrics`)).text();
      expect(page).toMatch(
        new RegExp(`^recollect_write_guard_total\\{guard="secrets",action="${action}"[^}]*\\} [1-9]`, "m"),
      );
    }
  });
});

describe("a memory that was recalled", () => {
  const LOOPS = 668;

  it("is one after it was recalled, extracted and stored again 668 times, under a new session each time", async () => {
    const app = appWith("flag");
    const namespace = "loop";
    const text = "Ana likes green tea";
    const { memory: first } = await app.memory.createMemory({
      namespace,
      memory: { text, userId: "ana", sessionId: "s0" },
    });
    for (let loop = 1; loop <= LOOPS; loop += 1) {
      now += 1000;
      const [id] = await found(app, namespace, "what does Ana like");
      expect(id).toBe(first?.id);
      const stored = await app.memory.createMemory({
        namespace,
        memory: { text, userId: "ana", sessionId: `s${loop}`, kind: Kind.EPISODIC, agentId: "extractor" },
      });
      if (!stored.recallLoop) expect([loop, stored]).toEqual([loop, "a recall loop"]);
      expect([stored.memory?.id, stored.duplicate]).toEqual([first?.id, true]);
      expect(stored.differs).toEqual(["kind", "agent_id", "session_id"]);
    }
    const all = await exported(app, namespace);
    expect(all.map(({ id, etag }) => [id, etag])).toEqual([[first?.id, first?.etag]]);
    const page = await (await fetch(`${app.httpUrl}/metrics`)).text();
    expect(page).toMatch(
      new RegExp(
        `^recollect_write_guard_total\\{guard="recall_loop",action="return_existing"[^}]*\\} ${LOOPS}`,
        "m",
      ),
    );
  });

  it("is stored again when the caller says so, for messages, and for what supersedes", async () => {
    const app = appWith("flag");
    const namespace = "no-loop";
    const text = "Bo sells coffee";
    const { memory: first } = await app.memory.createMemory({ namespace, memory: { text } });
    const create = async (more: object, onDuplicate = OnDuplicate.UNSPECIFIED) => {
      await app.memory.getMemory({ namespace, id: first?.id ?? "" });
      return (await app.memory.createMemory({ namespace, memory: { text, ...more }, onDuplicate })).duplicate;
    };
    expect(await create({ sessionId: "a" })).toBe(true);
    expect(await create({ sessionId: "b" }, OnDuplicate.RETURN_EXISTING)).toBe(false);
    expect(await create({ sessionId: "c" }, OnDuplicate.REFUSE)).toBe(false);
    expect(await create({ sessionId: "d" }, OnDuplicate.ALLOW)).toBe(false);
    expect(await create({ sessionId: "e", kind: Kind.MESSAGE })).toBe(false);
    expect(await create({ sessionId: "f", supersedes: [first?.id ?? ""] })).toBe(false);
  });

  it("is stored again an hour after it was recalled last", async () => {
    const app = appWith("flag");
    const namespace = "later";
    const memory = { text: "Cy is allergic to nuts" };
    const { memory: first } = await app.memory.createMemory({ namespace, memory });
    await app.memory.getMemory({ namespace, id: first?.id ?? "" });
    now += 3_600_000;
    expect(
      (await app.memory.createMemory({ namespace, memory: { ...memory, sessionId: "a" } })).recallLoop,
    ).toBe(true);
    now += 1;
    expect(
      (await app.memory.createMemory({ namespace, memory: { ...memory, sessionId: "a" } })).recallLoop,
    ).toBe(false);
  });

  it("is stored again with recall_loop_minutes 0", async () => {
    await using app = await startApp({ env: { MEMORY_RECALL_LOOP_MINUTES: "0" } });
    const { memory } = await app.memory.createMemory({ memory: { text: "x" } });
    await app.memory.getMemory({ id: memory?.id ?? "" });
    expect((await app.memory.createMemory({ memory: { text: "x", sessionId: "s" } })).duplicate).toBe(false);
  });

  it("is named in a batch, and has one answer for a request", async () => {
    const app = appWith("flag");
    const namespace = "batch-loop";
    await app.memory.createMemory({ namespace, memory: { id: "one", text: "likes rum" } });
    await app.memory.getMemory({ namespace, id: "one" });
    const request = {
      namespace,
      requestId: "r",
      memories: [
        { text: "Likes rum", sessionId: "s" },
        { id: "two", text: "likes gin" },
      ],
    };
    const outcomes = async () =>
      (await app.memory.batchCreateMemories(request)).results.map(({ outcome, recallLoop }) => [
        outcome.case === "memory" ? outcome.value.id : toRefusal(outcome.value).reason,
        recallLoop,
      ]);
    const expected = [
      ["one", true],
      ["two", false],
    ];
    expect(await outcomes()).toEqual(expected);
    now += 2 * 3_600_000;
    expect(await outcomes()).toEqual(expected);
  });
});

describe("the retention score", () => {
  it("is shown with explain, and rises with accesses and importance", async () => {
    const app = appWith("flag");
    const namespace = "retention";
    await app.memory.batchCreateMemories({
      namespace,
      memories: [
        { id: "plain", text: "tea one" },
        { id: "used", text: "tea two" },
        { id: "important", text: "tea three", importance: 1 },
        { id: "pinned", text: "tea four", pinned: true },
      ],
    });
    now += 24 * 3_600_000;
    for (let time = 0; time < 3; time += 1) await app.memory.getMemory({ namespace, id: "used" });
    const query = { by: { case: "text" as const, value: "tea" } };
    const { results } = await app.memory.searchMemories({ namespace, query, explain: true });
    const scores = new Map(
      results.map(({ memory, explanation }) => [memory?.id, explanation?.retentionScore ?? 0]),
    );
    expect(scores.get("pinned")).toBe(1);
    expect(scores.get("plain")).toBeGreaterThan(0.5);
    expect(scores.get("used")).toBeGreaterThan(scores.get("plain") ?? 1);
    expect(scores.get("important")).toBeGreaterThan(scores.get("plain") ?? 1);
  });
});
