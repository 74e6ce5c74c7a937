import { setImmediate } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Compaction,
  CompactionAction,
  CompactionLevel,
  CompactionReason,
  CompactionStrategy,
  Compaction_State as State,
} from "#gen/recollect/v1/compaction_pb.js";
import { type Memory, Memory_State } from "#gen/recollect/v1/memory_pb.js";
import { NOW } from "../support/builders.ts";
import { refusalOf } from "../support/errors.ts";
import { manualSleep } from "../support/manual-sleep.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

/** Takes memories of any age, and changes as many as it finds. */
const ANYTHING = {
  strategy: CompactionStrategy.DEDUP,
  level: CompactionLevel.MODERATE,
  keepRecent: { seconds: 0n },
  keepImportant: { seconds: 0n },
  maxAffectedFraction: 1,
};

describe("CompactionService", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app[Symbol.asyncDispose]());

  const remember = async (
    namespace: string,
    ...memories: readonly { readonly id: string; readonly text: string; readonly userId?: string }[]
  ) => {
    for (const memory of memories) await app.memory.createMemory({ namespace, memory, onDuplicate: 2 });
  };
  const exported = async (namespace: string): Promise<Memory[]> => {
    const memories: Memory[] = [];
    for await (const { memory } of app.memory.exportMemories({ namespace }))
      if (memory) memories.push(memory);
    return memories;
  };
  const ended = async (namespace: string, id: string): Promise<Compaction> => {
    let latest: Compaction | undefined;
    for await (const { compaction } of app.compaction.watchCompaction({ namespace, id })) latest = compaction;
    if (latest === undefined) throw new TypeError("a watch without a run");
    return latest;
  };
  const TWICE = [
    { id: "a1", userId: "ana", text: "Ana likes green tea." },
    { id: "a2", userId: "ana", text: "ana likes  green TEA." },
    { id: "b1", userId: "ben", text: "Ana likes green tea." },
  ];

  it("plans, shows the plan, applies it when approved, and undoes it byte for byte", async () => {
    const namespace = "walk";
    await remember(namespace, ...TWICE);
    const before = await exported(namespace);

    const shown = await app.compaction.startCompaction({
      namespace,
      overrides: ANYTHING,
      validateOnly: true,
    });
    expect(shown.compaction).toMatchObject({ state: State.PLANNING, examinedCount: 3, affectedCount: 1 });
    expect(shown.groups).toMatchObject([
      {
        number: 1,
        action: CompactionAction.MERGE,
        reason: CompactionReason.EQUAL_TEXT,
        members: [{ text: expect.stringMatching(/green tea/i) }],
        survivor: { text: expect.stringMatching(/green tea/i) },
      },
    ]);
    expect(await exported(namespace)).toEqual(before);

    const started = await app.compaction.startCompaction({
      namespace,
      overrides: ANYTHING,
      requireApproval: true,
    });
    const id = started.compaction?.id ?? "";
    const awaiting = await ended(namespace, id);
    expect(awaiting).toMatchObject({ state: State.AWAITING_APPROVAL, affectedCount: 1, groupCount: 1 });
    expect(await exported(namespace)).toEqual(before);

    await app.compaction.approveCompaction({ namespace, id, etag: awaiting.etag });
    const done = await ended(namespace, id);
    expect(done).toMatchObject({
      state: State.SUCCEEDED,
      affectedCount: 1,
      doneGroupCount: 1,
      droppedGroupCount: 0,
    });
    expect(done.undoExpireTime).toBeDefined();
    expect(done.policy).toMatchObject(ANYTHING);
    const after = await exported(namespace);
    expect(after.map(({ state }) => state).toSorted()).toEqual([
      Memory_State.ACTIVE,
      Memory_State.ACTIVE,
      Memory_State.SUPERSEDED,
    ]);
    const found = await app.memory.searchMemories({
      namespace,
      query: { by: { case: "text", value: "green tea" } },
      filter: { userId: "ana" },
    });
    expect(found.results).toHaveLength(1);

    const undone = await app.compaction.undoCompaction({ namespace, id });
    expect(undone).toMatchObject({
      conflictIds: [],
      compaction: { state: State.UNDONE, undoneGroupCount: 1 },
    });
    expect(await exported(namespace)).toEqual(before);
    const listed = await app.compaction.listCompactions({ namespace });
    expect(listed.compactions.map((run) => run.id)).toEqual([id]);
  });

  it("says what is wrong by reason", async () => {
    const namespace = "wrong";
    const { compaction } = app;
    await remember(namespace, ...TWICE);
    const unknown = { namespace, id: "unknown" };
    const nothing = await compaction.startCompaction({ namespace });
    const id = nothing.compaction?.id ?? "";
    const run = await ended(namespace, id);
    const reasons = [
      compaction.getCompaction(unknown),
      compaction.cancelCompaction(unknown),
      compaction.undoCompaction(unknown),
      compaction.approveCompaction({ ...unknown, etag: "e" }),
      compaction.approveCompaction({ namespace, id, etag: run.etag }),
      compaction.cancelCompaction({ namespace, id }),
      compaction.undoCompaction({ namespace, id }),
      compaction.getCompaction({ namespace, id, pageToken: "x" }),
      compaction.startCompaction({ namespace, overrides: { etag: "e" } }),
      compaction.startCompaction({ namespace, overrides: { scheduled: true } }),
      compaction.startCompaction({ namespace, level: 1, overrides: { level: 2 } }),
      compaction.updateCompactionPolicy({ namespace, policy: { etag: "another" } }),
    ].map(async (call) => (await refusalOf(call)).reason);
    expect(await Promise.all(reasons)).toEqual([
      ...["COMPACTION_NOT_FOUND", "COMPACTION_NOT_FOUND", "COMPACTION_NOT_FOUND", "COMPACTION_NOT_FOUND"],
      ...["COMPACTION_NOT_AWAITING", "COMPACTION_ENDED", "COMPACTION_NOT_UNDOABLE", "PAGE_TOKEN_INVALID"],
      ...["REQUEST_INVALID", "REQUEST_INVALID", "REQUEST_INVALID", "ETAG_MISMATCH"],
    ]);
    const awaiting = await compaction.startCompaction({
      namespace,
      overrides: ANYTHING,
      requireApproval: true,
    });
    const refusal = await refusalOf(compaction.startCompaction({ namespace, userId: "ana" }));
    expect(refusal).toMatchObject({ code: "FailedPrecondition", reason: "COMPACTION_RUNNING" });
    expect(refusal.metadata).toEqual({ id: awaiting.compaction?.id });
  });

  it("has a policy for each namespace, which runs follow", async () => {
    const namespace = "policy";
    const { compaction } = app;
    await remember(namespace, ...TWICE);
    const none = await compaction.getCompactionPolicy({ namespace });
    expect(none.policy).toMatchObject({
      strategy: CompactionStrategy.UNSPECIFIED,
      level: CompactionLevel.UNSPECIFIED,
    });
    expect(none.policy?.keepRecent).toBeUndefined();
    // No setting of compactions is set.
    expect(none.effectivePolicy).toMatchObject({
      strategy: CompactionStrategy.HYBRID,
      level: CompactionLevel.LIGHT,
      keepRecent: { seconds: 86_400n },
      keepImportant: { seconds: 7n * 86_400n },
      scheduled: true,
    });
    const etag = none.policy?.etag ?? "";
    const policy = { ...ANYTHING, etag, scheduled: false };
    const updated = await compaction.updateCompactionPolicy({ namespace, policy });
    expect(updated.effectivePolicy).toMatchObject({ ...ANYTHING, scheduled: false });
    const again = await refusalOf(compaction.updateCompactionPolicy({ namespace, policy }));
    expect(again.reason).toBe("ETAG_MISMATCH");
    const { compaction: shown } = await compaction.startCompaction({ namespace, validateOnly: true });
    expect(shown).toMatchObject({ affectedCount: 1, level: CompactionLevel.MODERATE });
  });
});

describe("the scheduler", () => {
  it("compacts what has changed when it is due, once, and nothing while it is switched off", async () => {
    const namespace = "scheduled";
    let now = NOW;
    const pauses = manualSleep();
    const overrides = { clock: { now: () => now }, compactionSleep: pauses.sleep };
    await using app = await startApp({ overrides });
    for (const id of ["m1", "m2"]) {
      await app.memory.createMemory({ namespace, memory: { id, text: "The same twice." }, onDuplicate: 2 });
    }
    const states = async (): Promise<readonly State[]> =>
      (await app.compaction.listCompactions({ namespace })).compactions.map(({ state }) => state);
    /** Lets the scheduler and the worker do all they have to do. */
    const settle = async (): Promise<void> => {
      pauses.wake();
      for (let turn = 0; turn < 20; turn += 1) await setImmediate();
    };
    await settle();
    expect(await states()).toEqual([]);
    now += 48 * 3_600_000;
    await settle();
    while ((await states())[0] !== State.SUCCEEDED) await settle();
    expect(await states()).toEqual([State.SUCCEEDED]);
    const [run] = (await app.compaction.listCompactions({ namespace })).compactions;
    expect(run).toMatchObject({ scheduled: true, withoutUser: true, affectedCount: 1 });
    await settle();
    expect(await states()).toHaveLength(1);
  });
});
