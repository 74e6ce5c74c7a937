import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EndedCommand, runCli } from "../support/run-cli.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

/** Processes start slowly on a busy machine. */
const TIMEOUT_MS = 60_000;

let folder: string;
let app: TestApp;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "recollect-cli-"));
  app = await startApp();
}, TIMEOUT_MS);

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
}, TIMEOUT_MS);

const compactIn =
  (namespace: string) =>
  (...args: readonly string[]): Promise<EndedCommand> =>
    runCli(["--namespace", namespace, "compact", ...args], { address: app.grpcAddress, cwd: folder });

const linesOf = (stdout: string): string[] => stdout.trimEnd().split("\n");
/** The value of a field that a command has printed. */
const fieldOf = (stdout: string, name: string): string =>
  linesOf(stdout)
    .find((line) => line.startsWith(`${name} `))
    ?.slice(name.length)
    .trim() ?? "";

const ANY_AGE = ["--level", "moderate", "--keep-recent", "0s", "--max-affected", "1"];

describe("recollect compact", { timeout: TIMEOUT_MS }, () => {
  const remember = async (namespace: string): Promise<void> => {
    for (const id of ["m1", "m2"]) {
      const memory = { id, userId: "ana", text: "Ana likes green tea." };
      await app.memory.createMemory({ namespace, memory, onDuplicate: 2 });
    }
  };

  it("shows a plan as a difference, and changes nothing", async () => {
    const compact = compactIn("cli-plan");
    await remember("cli-plan");
    const shown = await compact("plan", ...ANY_AGE);
    expect(shown).toMatchObject({ code: 0, stderr: "" });
    expect(linesOf(shown.stdout).slice(0, 3)).toEqual([
      expect.stringMatching(/^1\. merge \(equal text\); similarity 1\.00; \d+ -> \d+ tokens$/),
      expect.stringMatching(/^ {2}- m[12] {2}Ana likes green tea\.$/),
      expect.stringMatching(/^ {2}> m[12] {2}Ana likes green tea\.$/),
    ]);
    expect(fieldOf(shown.stdout, "removed")).toBe("1 from default reads, 0 created");
    expect(fieldOf(shown.stdout, "id")).toBe("");
    expect((await compact("list")).stdout).toBe("");
  });

  it("stores a plan, applies it when it is approved, and undoes it", async () => {
    const compact = compactIn("cli-walk");
    await remember("cli-walk");
    const planned = await compact("plan", "--store", ...ANY_AGE);
    expect(fieldOf(planned.stdout, "state")).toBe("awaiting approval");
    const [id, etag] = [fieldOf(planned.stdout, "id"), fieldOf(planned.stdout, "etag")];
    const refused = await compact("approve", id, "--etag", "another");
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("(ETAG_MISMATCH)") });
    const approved = await compact("approve", id, "--etag", etag);
    expect(approved.code).toBe(0);
    expect(fieldOf(approved.stdout, "state")).toBe("succeeded");
    const got = await compact("get", id);
    expect(linesOf(got.stdout)[0]).toMatch(/applied$/);
    expect((await compact("list")).stdout).toMatch(new RegExp(`^${id} .* succeeded .*1 of 2 removed\\n$`));
    const undone = await compact("undo", id);
    expect(undone).toMatchObject({ code: 0, stderr: "" });
    expect(fieldOf(undone.stdout, "state")).toBe("undone");
    expect(await compact("undo", id)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("(COMPACTION_NOT_UNDOABLE)"),
    });
  });

  it("runs, cancels and watches", async () => {
    const compact = compactIn("cli-run");
    await remember("cli-run");
    const done = await compact("run", ...ANY_AGE);
    expect(done.code).toBe(0);
    expect(fieldOf(done.stdout, "groups")).toBe("1 planned, 1 done");
    const gone = fieldOf(done.stdout, "id");
    const undone = await compact("undo", gone, "m1");
    const other = await compact("undo", gone, "m2");
    expect([undone.code, other.code].toSorted()).toEqual([0, 2]);
    await compact("plan", "--store", ...ANY_AGE);
    const [id = ""] = (await compact("list", "--limit", "1")).stdout.split(" ");
    expect(fieldOf((await compact("cancel", id)).stdout, "state")).toBe("cancelled");
    expect(await compact("watch", id)).toMatchObject({ code: 2 });
  });

  it("prints JSON for scripts", async () => {
    const compact = compactIn("cli-json");
    await remember("cli-json");
    const plan = await compact("plan", "--json", ...ANY_AGE);
    expect(JSON.parse(plan.stdout)).toMatchObject({
      compaction: { affectedCount: 1 },
      groups: [{ action: "COMPACTION_ACTION_MERGE", reason: "COMPACTION_REASON_EQUAL_TEXT" }],
    });
    const run = await compact("run", "--json", ...ANY_AGE);
    const last = JSON.parse(linesOf(run.stdout).at(-1) ?? "") as { readonly id: string };
    expect(last).toMatchObject({ state: "STATE_SUCCEEDED", affectedCount: 1 });
    const undone = await compact("undo", last.id, "--json");
    expect(JSON.parse(undone.stdout)).toMatchObject({
      compaction: { state: "STATE_UNDONE" },
      conflictIds: [],
    });
  });

  it("shows and changes the policy", async () => {
    const compact = compactIn("cli-policy");
    const before = await compact("policy", "get");
    expect(fieldOf(before.stdout, "level")).toBe("light (the server's)");
    const changed = await compact(
      "policy",
      "set",
      "--level",
      "aggressive",
      "--keep-recent",
      "12h",
      "--schedule",
      "off",
    );
    expect(fieldOf(changed.stdout, "level")).toBe("aggressive");
    expect(fieldOf(changed.stdout, "keep recent")).toBe("12 h");
    expect(fieldOf(changed.stdout, "scheduled")).toBe("no");
    expect(fieldOf(changed.stdout, "strategy")).toBe("hybrid (the server's)");
    const etag = fieldOf(before.stdout, "etag");
    const refused = await compact("policy", "set", "--etag", etag, "--level", "light");
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("(ETAG_MISMATCH)") });
  });
});
