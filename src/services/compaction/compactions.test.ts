import { beforeEach, describe, expect, it } from "vitest";
import { DAY, NOW } from "../../../test/support/builders.ts";
import {
  type CompactionWorld,
  callBy,
  compactionWorld,
  PLACE,
} from "../../../test/support/compaction-world.ts";
import { runEtag } from "../../domain/compaction/run-etag.ts";
import { RecollectError } from "../../domain/errors.ts";
import { approveCompaction, cancelCompaction } from "./decide-compaction.ts";
import { getCompaction, listCompactions } from "./read-compactions.ts";
import { type StartCompactionInput, startCompaction } from "./start-compaction.ts";
import { undoCompaction } from "./undo-compaction.ts";
import { watchCompaction } from "./watch-compaction.ts";

const INPUT: StartCompactionInput = {
  namespace: "",
  userId: "",
  overrides: {},
  validateOnly: false,
  requireApproval: false,
};
/** Two equal texts of two users, and something else of one. */
const EQUAL_TEXTS = [
  { id: "a1", userId: "ana", text: "Ana likes green tea." },
  { id: "a2", userId: "ana", text: "ana likes green TEA." },
  { id: "b1", userId: "ben", text: "Ana likes green tea." },
  { id: "a3", userId: "ana", text: "The office closes at six." },
];

let world: CompactionWorld;
beforeEach(async () => {
  world = await compactionWorld();
  await world.remember(...EQUAL_TEXTS);
});

async function run(input: Partial<StartCompactionInput> = {}): Promise<string> {
  const { stored } = await startCompaction(world.ports, { ...INPUT, ...input }, callBy());
  await world.execute(stored.run.id);
  return stored.run.id;
}

const read = (id: string, roles?: Parameters<typeof callBy>[0]) =>
  getCompaction(world.ports, { namespace: "", id, pageSize: 0, pageToken: "" }, callBy(roles));

async function reasonOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.catch((caught: unknown) => caught);
  return error instanceof RecollectError ? error.reason : `no refusal: ${String(error)}`;
}

describe("a run", () => {
  it("merges equal texts of one user, never those of two, and says so", async () => {
    const id = await run();
    const { stored, groups } = await read(id);
    expect(stored.run).toMatchObject({ state: "SUCCEEDED", examined: 4, affected: 1, created: 0 });
    expect(stored.run.counts).toContainEqual({
      action: "MERGE",
      reason: "EQUAL_TEXT",
      groups: 1,
      memories: 1,
    });
    const [merge] = groups;
    expect(merge?.group).toMatchObject({ action: "MERGE", reason: "EQUAL_TEXT", state: "APPLIED" });
    const named = [...(merge?.group.members ?? []), merge?.group.survivor].map((one) => one?.id);
    expect(named.toSorted()).toEqual(["a1", "a2"]);
    const gone = await world.memory(merge?.group.members[0]?.id ?? "");
    expect(gone).toMatchObject({ state: "SUPERSEDED", supersededBy: merge?.group.survivor?.id });
    expect(await world.memory("b1")).toMatchObject({ state: "ACTIVE" });
    expect(stored.run.tokensAfter).toBeLessThan(stored.run.tokensBefore);
    expect(world.metrics.memories.get("superseded EQUAL_TEXT")).toBe(1);
    expect(world.metrics.ended).toEqual(["SUCCEEDED"]);
  });

  it("changes nothing the second time", async () => {
    await run();
    const before = await world.everything();
    const { stored } = await read(await run());
    expect(stored.run).toMatchObject({ state: "SUCCEEDED", affected: 0 });
    expect(await world.everything()).toEqual(before);
  });

  it("of one user leaves the others alone", async () => {
    await world.remember({ id: "b2", userId: "ben", text: "Ana likes green tea." });
    const { stored } = await read(await run({ userId: "ben" }));
    expect(stored.run).toMatchObject({ userId: "ben", examined: 2, affected: 1 });
    expect(await world.memory("a2")).toMatchObject({ state: "ACTIVE" });
  });

  it("that overlaps another one is refused, and names it", async () => {
    const { stored } = await startCompaction(world.ports, { ...INPUT, userId: "ana" }, callBy());
    const second = startCompaction(world.ports, INPUT, callBy());
    await expect(second).rejects.toMatchObject({
      reason: "COMPACTION_RUNNING",
      detail: { metadata: { id: stored.run.id } },
    });
    await startCompaction(world.ports, { ...INPUT, userId: "ben" }, callBy());
  });

  it("is started once by a repeated request", async () => {
    const input = { ...INPUT, requestId: "r" };
    const first = await startCompaction(world.ports, input, callBy());
    await world.execute(first.stored.run.id);
    const again = await startCompaction(world.ports, input, callBy());
    expect(again.stored.run).toMatchObject({ id: first.stored.run.id, state: "SUCCEEDED" });
    const other = startCompaction(world.ports, { ...input, userId: "ana" }, callBy());
    expect(await reasonOf(other)).toBe("REQUEST_ID_REUSED");
  });

  it("drops a group whose memory was changed since it was planned, and applies the others", async () => {
    await world.remember({ id: "b2", userId: "ben", text: "Ana likes green tea." });
    const { stored } = await startCompaction(world.ports, { ...INPUT, requireApproval: true }, callBy());
    const { id } = stored.run;
    await world.execute(id);
    await world.stores.memories.writer.delete(PLACE, "a2", { now: NOW });
    const awaiting = await read(id);
    expect(awaiting.stored.run).toMatchObject({ state: "AWAITING_APPROVAL", affected: 2 });
    await approveCompaction(world.ports, { namespace: "", id, etag: runEtag(awaiting.stored) }, callBy());
    await world.execute(id);
    const { stored: ended, groups } = await read(id);
    expect(ended.run).toMatchObject({
      state: "SUCCEEDED",
      affected: 1,
      droppedGroups: 1,
      doneGroups: groups.length,
    });
    expect(groups.map(({ group }) => group.state).toSorted()).toEqual(["APPLIED", "DROPPED"]);
  });

  it("fails with the reason of what failed, and its scope is free again", async () => {
    const broken = {
      ...world.ports.planner,
      plan: () => Promise.reject(new RecollectError("STORE_CORRUPT", "damaged")),
    };
    const { stored } = await startCompaction(world.ports, INPUT, callBy());
    const ports = { ...world.ports, planner: broken };
    const { executeRun } = await import("./execute-run.ts");
    const signal = new AbortController().signal;
    await executeRun(ports, { namespaceKey: PLACE, id: stored.run.id }, "worker", signal);
    const failed = await read(stored.run.id);
    expect(failed.stored.run).toMatchObject({ state: "FAILED", error: { reason: "STORE_CORRUPT" } });
    expect(failed.stored.run.undoExpireTime).toBeUndefined();
    await run();
  });
});

describe("a crash", () => {
  it.each([0, 1, 2, 3, 4, 5])("at write %d is continued by another process", async (crashAt) => {
    await world.remember(
      { id: "b2", userId: "ben", text: "Ana likes green tea." },
      { id: "c1", userId: "cy", text: "Cy plays chess." },
      { id: "c2", userId: "cy", text: "Cy plays chess." },
    );
    const { stored } = await startCompaction(world.ports, INPUT, callBy());
    const { id } = stored.run;
    let writes = 0;
    const store = {
      ...world.ports.store,
      write: async (...args: Parameters<typeof world.ports.store.write>) => {
        if (writes++ === crashAt) throw new RecollectError("STORE_UNAVAILABLE", "cut off");
        return world.ports.store.write(...args);
      },
    };
    const { executeRun } = await import("./execute-run.ts");
    const name = { namespaceKey: PLACE, id };
    const broken = executeRun({ ...world.ports, store }, name, "first", new AbortController().signal);
    await expect(broken).rejects.toThrow("cut off");
    for (const one of await world.everything()) {
      const replacement = one.state === "ACTIVE" ? one : await world.memory(one.supersededBy);
      expect(replacement?.state).toBe("ACTIVE");
    }
    await world.execute(id, "second");
    const { stored: ended } = await read(id);
    expect(ended.run).toMatchObject({ state: "SUCCEEDED", affected: 3 });
  });

  it("of none of several processes at once makes a change happen twice", async () => {
    const { stored } = await startCompaction(world.ports, INPUT, callBy());
    const owners = Array.from({ length: 5 }, (_, index) => `worker-${index}`);
    await Promise.all(owners.map((owner) => world.execute(stored.run.id, owner)));
    const { stored: ended, groups } = await read(stored.run.id);
    expect(ended.run).toMatchObject({ state: "SUCCEEDED", affected: 1, doneGroups: groups.length });
    expect(world.metrics.memories.get("superseded EQUAL_TEXT")).toBe(1);
  });

  it("of a process that was paused beyond its lease writes nothing", async () => {
    const { stored } = await startCompaction(world.ports, INPUT, callBy());
    const { id } = stored.run;
    const store = {
      ...world.ports.store,
      write: async (...args: Parameters<typeof world.ports.store.write>) => {
        if (args[2].changes !== undefined) {
          // It is paused here; another process finishes the run meanwhile.
          world.advance(120_000);
          await world.execute(id, "second");
        }
        return world.ports.store.write(...args);
      },
    };
    const { executeRun } = await import("./execute-run.ts");
    const signal = new AbortController().signal;
    await executeRun({ ...world.ports, store }, { namespaceKey: PLACE, id }, "first", signal);
    expect((await read(id)).stored.run).toMatchObject({ state: "SUCCEEDED", affected: 1 });
    expect(world.metrics.ended).toEqual(["SUCCEEDED"]);
  });

  it("leaves a run that nobody else may write to before its lease is over", async () => {
    const { stored } = await startCompaction(world.ports, INPUT, callBy());
    const claimed = await world.ports.store.claim(PLACE, stored.run.id, {
      owner: "dead",
      now: NOW,
      until: NOW + 60_000,
    });
    expect(claimed).toBeDefined();
    await world.execute(stored.run.id);
    expect((await read(stored.run.id)).stored.run.state).toBe("PLANNING");
    world.advance(60_001);
    await world.execute(stored.run.id);
    expect((await read(stored.run.id)).stored.run.state).toBe("SUCCEEDED");
  });
});

describe("validate_only", () => {
  it("shows the plan and stores nothing", async () => {
    const before = await world.everything();
    const { stored, groups, truncated } = await startCompaction(
      world.ports,
      { ...INPUT, validateOnly: true },
      callBy(),
    );
    expect(stored.run).toMatchObject({ state: "PLANNING", examined: 4, affected: 1 });
    expect(truncated).toBe(false);
    const [first] = groups;
    expect([...(first?.texts.values() ?? [])]).toContain("Ana likes green tea.");
    expect(await world.everything()).toEqual(before);
    const list = await listCompactions(
      world.ports,
      { namespace: "", pageSize: 0, pageToken: "", fitting: ({ length }) => length },
      callBy(),
    );
    expect(list.runs).toEqual([]);
  });

  it("shows no texts to callers who may not read", async () => {
    const input = { ...INPUT, validateOnly: true };
    const { groups } = await startCompaction(world.ports, input, callBy(["operator"]));
    expect(groups).toHaveLength(1);
    expect(groups.map(({ texts }) => texts.size)).toEqual([0]);
  });

  it("ends with its call", async () => {
    const ending = new AbortController();
    const work = {
      ...world.ports.work,
      run: <T>(_work: unknown, signal: AbortSignal, task: () => Promise<T>) => {
        ending.abort(new Error("too late"));
        return signal.aborted ? Promise.reject(signal.reason) : task();
      },
    };
    const call = startCompaction(
      { ...world.ports, work },
      { ...INPUT, validateOnly: true },
      callBy(undefined, ending.signal),
    );
    await expect(call).rejects.toThrow("too late");
  });
});

describe("approval", () => {
  const start = async () => {
    const { stored } = await startCompaction(world.ports, { ...INPUT, requireApproval: true }, callBy());
    await world.execute(stored.run.id);
    return (await read(stored.run.id)).stored;
  };
  const approve = (id: string, etag: string, requestId?: string) =>
    approveCompaction(
      world.ports,
      { namespace: "", id, etag, ...(requestId === undefined ? {} : { requestId }) },
      callBy(),
    );

  it("needs the etag of the plan, and a plan that awaits it", async () => {
    const stored = await start();
    const { id } = stored.run;
    expect(await reasonOf(approve(id, "another"))).toBe("ETAG_MISMATCH");
    expect(await reasonOf(approve("unknown", "any"))).toBe("COMPACTION_NOT_FOUND");
    const approved = await approve(id, runEtag(stored), "r");
    expect(approved.run).toMatchObject({ state: "APPLYING", affected: 0 });
    expect(await reasonOf(approve(id, runEtag(stored)))).toBe("COMPACTION_NOT_AWAITING");
    await world.execute(id);
    expect((await approve(id, runEtag(stored), "r")).run.state).toBe("SUCCEEDED");
  });

  it("expires after 24 hours, and frees the scope", async () => {
    const stored = await start();
    const { id } = stored.run;
    world.advance(DAY);
    expect(await reasonOf(approve(id, runEtag(stored)))).toBe("COMPACTION_PLAN_EXPIRED");
    await world.execute(id);
    expect((await read(id)).stored.run.state).toBe("CANCELLED");
    expect(await reasonOf(approve(id, runEtag(stored)))).toBe("COMPACTION_PLAN_EXPIRED");
    await run();
  });

  it("is not asked for when there is nothing to do", async () => {
    await run();
    expect((await start()).run).toMatchObject({ state: "SUCCEEDED", affected: 0 });
  });
});

describe("cancelling", () => {
  const cancel = (id: string, requestId?: string) =>
    cancelCompaction(
      world.ports,
      { namespace: "", id, ...(requestId === undefined ? {} : { requestId }) },
      callBy(),
    );

  it("ends a plan that awaits approval at once", async () => {
    const { stored } = await startCompaction(world.ports, { ...INPUT, requireApproval: true }, callBy());
    await world.execute(stored.run.id);
    expect((await cancel(stored.run.id, "r")).run.state).toBe("CANCELLED");
    expect(await reasonOf(cancel(stored.run.id))).toBe("COMPACTION_ENDED");
    expect((await cancel(stored.run.id, "r")).run.state).toBe("CANCELLED");
    expect(await reasonOf(cancel("unknown"))).toBe("COMPACTION_NOT_FOUND");
  });

  it("stops a run before its next group; what was applied stays and can be undone", async () => {
    await world.remember({ id: "b2", userId: "ben", text: "Ana likes green tea." });
    const before = await world.everything();
    const { stored } = await startCompaction(world.ports, INPUT, callBy());
    const { id } = stored.run;
    let applied = 0;
    const store = {
      ...world.ports.store,
      write: async (...args: Parameters<typeof world.ports.store.write>) => {
        const changed = await world.ports.store.write(...args);
        if (args[2].changes !== undefined && applied++ === 0) await cancel(id);
        return changed;
      },
    };
    const { executeRun } = await import("./execute-run.ts");
    await executeRun(
      { ...world.ports, store },
      { namespaceKey: PLACE, id },
      "worker",
      new AbortController().signal,
    );
    expect((await read(id)).stored.run).toMatchObject({ state: "CANCELLED", affected: 1 });
    const { stored: undone } = await undoCompaction(
      world.ports,
      { namespace: "", id, memoryId: "" },
      callBy(),
    );
    expect(undone.run.state).toBe("UNDONE");
    expect(await world.everything()).toEqual(before);
  });
});

describe("undo", () => {
  const undo = (id: string, memoryId = "", requestId?: string) =>
    undoCompaction(
      world.ports,
      { namespace: "", id, memoryId, ...(requestId === undefined ? {} : { requestId }) },
      callBy(),
    );

  it("restores every record exactly", async () => {
    await world.remember({
      id: "a4",
      userId: "ana",
      text: "Ana likes green tea.",
      tags: ["x"],
      importance: 0.6,
    });
    const before = await world.everything();
    const id = await run();
    expect(await world.everything()).not.toEqual(before);
    const { stored, conflictIds } = await undo(id, "", "r");
    expect(conflictIds).toEqual([]);
    expect(stored.run.state).toBe("UNDONE");
    expect(await world.everything()).toEqual(before);
    expect(await reasonOf(undo(id))).toBe("COMPACTION_NOT_UNDOABLE");
    expect((await undo(id, "", "r")).stored.run.state).toBe("UNDONE");
    expect(world.metrics.memories.get("restored EQUAL_TEXT")).toBe(3);
  });

  it("of one memory makes it ACTIVE beside its replacement", async () => {
    await world.remember({ id: "a4", userId: "ana", text: "Ana likes green tea." });
    const id = await run();
    const states = new Map((await world.everything()).map((memory) => [memory.id, memory.state]));
    const gone = ["a1", "a2", "a4"].filter((one) => states.get(one) === "SUPERSEDED");
    expect(gone).toHaveLength(2);
    const [first = "", second = ""] = gone;
    expect((await undo(id, first)).stored.run.state).toBe("SUCCEEDED");
    expect(await world.memory(first)).toMatchObject({ state: "ACTIVE", supersededBy: "" });
    expect(await world.memory(second)).toMatchObject({ state: "SUPERSEDED" });
    expect(await reasonOf(undo(id, first))).toBe("COMPACTION_NOT_UNDOABLE");
    expect(await reasonOf(undo(id, "b1"))).toBe("MEMORY_NOT_FOUND");
    expect((await undo(id, second)).stored.run.state).toBe("UNDONE");
  });

  it("leaves what was deleted since, and names it", async () => {
    const id = await run();
    const gone = (await world.everything()).find(({ state }) => state === "SUPERSEDED");
    await world.stores.memories.writer.delete(PLACE, gone?.id ?? "", { now: NOW });
    const { conflictIds, stored } = await undo(id, "", "r");
    expect(conflictIds).toEqual([gone?.id]);
    expect(stored.run.state).toBe("UNDONE");
    expect((await undo(id, "", "r")).conflictIds).toEqual([gone?.id]);
  });

  it("is possible for seven days, of a run that has ended and changed something", async () => {
    const id = await run();
    expect(await reasonOf(undo("unknown"))).toBe("COMPACTION_NOT_FOUND");
    const nothing = await run();
    await expect(undo(nothing)).rejects.toMatchObject({ detail: { metadata: { cause: "nothing" } } });
    const { stored } = await startCompaction(world.ports, INPUT, callBy());
    await expect(undo(stored.run.id)).rejects.toMatchObject({ detail: { metadata: { cause: "running" } } });
    world.advance(7 * DAY);
    await expect(undo(id)).rejects.toMatchObject({ detail: { metadata: { cause: "expired" } } });
  });
});

describe("watching", () => {
  it("shows each change until the run has ended, and continues after a token", async () => {
    const { stored } = await startCompaction(world.ports, INPUT, callBy());
    const { id } = stored.run;
    const input = { namespace: "", id, resumeToken: "" };
    const watching = watchCompaction({ ...world.ports, sleep: () => world.execute(id) }, input, callBy());
    const states: string[] = [];
    let token = "";
    for await (const { stored: seen, resumeToken } of watching) {
      states.push(seen.run.state);
      token = resumeToken;
    }
    expect(states).toEqual(["PLANNING", "SUCCEEDED"]);
    const resumed: unknown[] = [];
    const again = watchCompaction(world.ports, { ...input, resumeToken: token }, callBy());
    for await (const one of again) resumed.push(one);
    expect(resumed).toEqual([]);
    const other = watchCompaction(world.ports, { ...input, id: "unknown", resumeToken: token }, callBy());
    expect(await reasonOf(other.next())).toBe("PAGE_TOKEN_INVALID");
    const unknown = watchCompaction(world.ports, { ...input, id: "unknown" }, callBy());
    expect(await reasonOf(unknown.next())).toBe("COMPACTION_NOT_FOUND");
  });
});

describe("pages", () => {
  it("show all groups by number, and all runs newest first", async () => {
    for (const user of ["c", "d", "e"]) {
      await world.remember(
        { id: `${user}1`, userId: user, text: `${user} sings in a choir.` },
        { id: `${user}2`, userId: user, text: `${user} sings in a choir.` },
      );
    }
    const id = await run();
    const numbers: number[] = [];
    let pageToken = "";
    do {
      const page = await getCompaction(world.ports, { namespace: "", id, pageSize: 3, pageToken }, callBy());
      numbers.push(...page.groups.map(({ group }) => group.number));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(numbers).toEqual([1, 2, 3, 4]);
    world.advance(1000);
    const second = await run();
    const list = (token: string) =>
      listCompactions(
        world.ports,
        { namespace: "", pageSize: 1, pageToken: token, fitting: ({ length }) => length },
        callBy(),
      );
    const first = await list("");
    const last = await list(first.nextPageToken);
    expect([...first.runs, ...last.runs].map((one) => one.run.id)).toEqual([second, id]);
    expect(last.nextPageToken).toBe("");
  });
});
