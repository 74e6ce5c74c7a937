import { expect, it } from "vitest";
import { ACTIVE_ONLY } from "../../../src/domain/memory/filter.ts";
import type { Memory } from "../../../src/domain/memory/memory.ts";
import { superseded } from "../../../src/domain/memory/supersession.ts";
import type { RunWrite } from "../../../src/ports/compaction/compaction-store.ts";
import { DAY, memory, NOW, newMemory } from "../../support/builders.ts";
import { ALL, ANY_STATE, idsOf, withWords } from "../memory/support.ts";
import { vectorOf } from "../store-under-test.ts";
import {
  asStored,
  type CompactionSubject,
  changed,
  changes,
  claim,
  createMemories,
  group,
  MINUTE,
  memoryOf,
  refusalOf,
  run,
  startRun,
} from "./support.ts";

/** What a run does to memories: all of a write or nothing. */
export function writeCases(subject: CompactionSubject): void {
  const LATER = NOW + DAY;
  const memories = () => subject.store.memories;
  const everything = async () => ({
    memories: await memories().reader.list(subject.scope, { filter: ANY_STATE, limit: ALL, now: NOW }),
    run: await subject.store.compactions.get(subject.scope, "run-1"),
    groups: await subject.store.compactions.groups(subject.scope, "run-1", {
      after: 0,
      limit: 100,
      maxBytes: 100_000,
    }),
    namespace: await subject.store.namespaces.counts(subject.scope),
  });
  const search = async (filter = ACTIVE_ONLY, now = LATER) => {
    const query = { filter, terms: ["tea"], vector: vectorOf(1), limit: ALL };
    const { byVector, byKeyword } = await memories().search.search(subject.scope, query, now);
    return { byVector: idsOf(byVector), byKeyword: idsOf(byKeyword).sort() };
  };
  const count = (filter: Parameters<ReturnType<typeof memories>["reader"]["count"]>[1]) =>
    memories().reader.count(subject.scope, filter, NOW);

  it("changes memories, groups and run together", async () => {
    await createMemories(subject, [newMemory({ id: "a", tags: ["x"] }), newMemory({ id: "b" })]);
    const [a, b] = [await memoryOf(subject, "a"), await memoryOf(subject, "b")];
    const { write } = await startRun(subject);
    const survivor = changed(b, { tags: ["x"], importance: 0.9, updateTime: LATER });
    const applied = run({ state: "APPLYING", doneGroups: 1, affected: 1 });
    const conflicts = await write({
      run: applied,
      groups: [group(1, { state: "APPLIED" })],
      changes: changes({ expected: asStored(a, b), put: [superseded(a, "b", LATER), survivor] }),
    });
    expect(conflicts).toEqual([]);
    expect(await everything()).toMatchObject({
      memories: [survivor, superseded(a, "b", LATER)],
      run: { run: applied, version: 2 },
      groups: [group(1, { state: "APPLIED" })],
    });
  });

  it("changes nothing when one of many memories has another etag, and names those", async () => {
    const ids = Array.from({ length: 30 }, (_, at) => `m${String(at).padStart(2, "0")}`);
    await createMemories(
      subject,
      ids.map((id) => newMemory({ id })),
    );
    const stored = await Promise.all(ids.map((id) => memoryOf(subject, id)));
    const { write } = await startRun(subject);
    await write({ groups: [group(1)] });
    // One was edited since, one deleted.
    const edited = { ...newMemory(changed(stored[17] as Memory, { tags: ["new"] })) };
    await memories().writer.replace(subject.scope, stored[17]?.etag ?? "", edited, { now: NOW });
    await memories().writer.delete(subject.scope, "m23", { now: NOW });
    const before = await everything();
    const conflicts = await write({
      run: run({ state: "SUCCEEDED", endTime: NOW }),
      discardGroups: true,
      groups: [group(1, { state: "APPLIED" })],
      changes: changes({
        expected: asStored(...stored),
        put: stored.slice(0, 20).map((one) => superseded(one, "m20", LATER)),
        create: [newMemory({ id: "summary" })],
        remove: ids.slice(20),
      }),
    });
    expect([...conflicts].sort()).toEqual(["m17", "m23"]);
    expect(await everything()).toEqual(before);
    // The group is dropped, with the same version.
    expect(await write({ groups: [group(1, { state: "DROPPED" })] })).toEqual([]);
  });

  it("takes an expired memory for one that has changed", async () => {
    await createMemories(subject, [newMemory({ id: "a", expireTime: LATER })]);
    const a = await memoryOf(subject, "a");
    const { write } = await startRun(subject);
    const archive = changes({ expected: asStored(a), put: [changed(a, { state: "ARCHIVED" })] });
    expect(await write({ changes: archive }, { now: LATER })).toEqual(["a"]);
    expect(await write({ changes: archive }, { now: LATER - 1 })).toEqual([]);
  });

  it("changes nothing when an id that is to be created is taken, unless by an expired memory", async () => {
    await createMemories(subject, [
      newMemory({ id: "a" }),
      newMemory({ id: "taken" }),
      newMemory({ id: "old", expireTime: LATER }),
    ]);
    const a = await memoryOf(subject, "a");
    const { write } = await startRun(subject);
    const summarize = (id: string, now: number) =>
      write(
        {
          changes: changes({
            expected: asStored(a),
            put: [changed(a, { state: "ARCHIVED", supersededBy: id })],
            create: [newMemory({ id, text: "summary", kind: "SUMMARY", sourceIds: ["a"] })],
          }),
        },
        { now },
      );
    const before = await everything();
    expect(await summarize("taken", NOW)).toEqual(["taken"]);
    expect(await everything()).toEqual(before);
    expect(await summarize("old", LATER)).toEqual([]);
    expect(await memoryOf(subject, "old", LATER)).toMatchObject({ text: "summary", kind: "SUMMARY" });
  });

  it("changes no memory with a lease or a version that is over", async () => {
    await createMemories(subject, [newMemory({ id: "a" }), newMemory({ id: "b" })]);
    const [a, b] = [await memoryOf(subject, "a"), await memoryOf(subject, "b")];
    const { write } = await startRun(subject);
    const merge: Partial<RunWrite> = {
      groups: [group(1, { state: "APPLIED" })],
      changes: changes({
        expected: asStored(a, b),
        put: [superseded(a, "b", LATER)],
        create: [newMemory({ id: "c" })],
        remove: ["b"],
      }),
    };
    const before = await everything();
    expect(await refusalOf(write({ ...merge, version: 7 }))).toBe("ETAG_MISMATCH");
    await claim(subject, { owner: "b", now: NOW + MINUTE });
    expect(await refusalOf(write(merge))).toBe("LeaseLost");
    expect(await everything()).toEqual(before);
  });

  it("lets one of two processes apply a group that both have read", async () => {
    await createMemories(subject, [newMemory({ id: "a" }), newMemory({ id: "b" })]);
    const [a, b] = [await memoryOf(subject, "a"), await memoryOf(subject, "b")];
    const { write, lease } = await startRun(subject);
    const merge: Partial<RunWrite> = {
      groups: [group(1, { state: "APPLIED" })],
      changes: changes({
        expected: asStored(a, b),
        put: [superseded(a, "b", LATER)],
        create: [newMemory({ id: "c" })],
      }),
    };
    // Its own retry, and another process that has taken the run over.
    const second = async () => {
      const next = await claim(subject, { owner: "b", now: NOW + MINUTE });
      const whole = { run: run(), version: 1, ...merge };
      return subject.store.compactions.write(subject.scope, next ?? lease, whole, { now: NOW });
    };
    const outcomes = await Promise.all([write(merge), write(merge), second()].map(settled));
    expect(outcomes.filter((one) => one === "written")).toHaveLength(1);
    expect((await everything()).run?.version).toBe(2);
    expect((await everything()).namespace.memories).toBe(3);
  });

  it("leaves what finds a memory: its words, its vector, its session position and its accesses", async () => {
    await createMemories(subject, [
      withWords("zero", "coffee", 3),
      withWords("a", "green tea", 1),
      withWords("b", "black tea", 2, { sessionId: "" }),
    ]);
    memories().accessCounts.add(subject.scope, ["a", "a", "b"], NOW);
    const [a, b] = [await memoryOf(subject, "a"), await memoryOf(subject, "b")];
    expect(a).toMatchObject({ sessionPosition: 2, access: { accessCount: 2 } });
    // Opens indexes and caches that have to follow.
    expect((await search()).byVector[0]).toBe("a");
    const { write } = await startRun(subject);
    // What the record says of position and embedding does not count.
    const archived = { ...superseded(a, "b", LATER), sessionPosition: 9, embedding: memory().embedding };
    await write({
      changes: changes({
        expected: asStored(a, b),
        put: [archived, changed(b, { importance: 1, tags: ["t"] })],
      }),
    });
    expect(await search()).toEqual({ byVector: ["b", "zero"].sort(bySimilarity), byKeyword: ["b"] });
    const all = await search(ANY_STATE);
    expect([all.byVector[0], all.byKeyword]).toEqual(["a", ["a", "b"]]);
    const { access, embedding, sessionPosition } = await memoryOf(subject, "a");
    expect({ access, embedding, sessionPosition }).toEqual({
      access: a.access,
      embedding: a.embedding,
      sessionPosition: 2,
    });
    expect((await memories().search.vectors(subject.scope, ["a"]))[0]).toEqual(vectorOf(1));
  });

  const bySimilarity = (one: string, other: string): number => {
    const similarity = (id: string): number =>
      vectorOf(id === "b" ? 2 : 3).reduce((sum, value, at) => sum + value * (vectorOf(1)[at] ?? 0), 0);
    return similarity(other) - similarity(one);
  };

  it("is followed by filters and counts", async () => {
    await createMemories(subject, [
      newMemory({ id: "a", userId: "u", tags: ["x", "y"], importance: 0.2, expireTime: LATER }),
      newMemory({ id: "b", userId: "u" }),
    ]);
    const a = await memoryOf(subject, "a");
    const { write } = await startRun(subject);
    const { expireTime: _, ...forever } = changed(a, {});
    const next = changed(forever, { state: "ARCHIVED", tags: ["y", "z"], importance: 0.8, sourceIds: ["b"] });
    expect(await write({ changes: changes({ expected: asStored(a), put: [next] }) })).toEqual([]);
    expect(await count({ states: ["ARCHIVED"], userId: "u" })).toBe(1);
    expect(await count({ states: ["ACTIVE"], userId: "u" })).toBe(1);
    expect(await count({ ...ANY_STATE, tagsAny: ["x"] })).toBe(0);
    expect(await count({ ...ANY_STATE, tagsAll: ["y", "z"] })).toBe(1);
    expect(await count({ ...ANY_STATE, importance: { min: 0.7 } })).toBe(1);
    expect(await count({ ...ANY_STATE, importance: { max: 0.3 } })).toBe(0);
    // It no longer expires.
    expect(await memoryOf(subject, "a", LATER + DAY)).toEqual(next);
    await write({
      changes: changes({ expected: asStored(next), put: [changed(next, { expireTime: LATER })] }),
    });
    expect(await memoryOf(subject, "a", LATER - 1)).toMatchObject({ expireTime: LATER });
    expect((await memories().reader.get(subject.scope, ["a"], LATER))[0]).toBeUndefined();
    expect((await search(ANY_STATE)).byKeyword).toEqual([]);
  });

  it("keeps what it replaces as revisions, with the time of the change, also when it puts that back", async () => {
    await createMemories(subject, [newMemory({ id: "a" })]);
    const a = await memoryOf(subject, "a");
    const { write } = await startRun(subject);
    const archived = changed(a, { state: "ARCHIVED", updateTime: NOW + 5 });
    await write({ changes: changes({ expected: asStored(a), put: [archived] }) }, { now: NOW + 5 });
    await write({ changes: changes({ expected: asStored(archived), put: [a] }) }, { now: NOW + 9 });
    const options = { limit: 10, maxBytes: 100_000, now: NOW };
    const page = await memories().revisions.list(subject.scope, "a", options);
    expect(
      page?.revisions.map(({ number, replaceTime, memory: { state, etag } }) => [
        ...[number, replaceTime - NOW, state, etag],
      ]),
    ).toEqual([
      [2, 9, "ARCHIVED", archived.etag],
      [1, 5, "ACTIVE", a.etag],
    ]);
    const stored = await memoryOf(subject, "a");
    await write({ changes: changes({ expected: asStored(stored), remove: ["a"] }) });
    expect(await memories().revisions.list(subject.scope, "a", options)).toBeUndefined();
  });

  it("appends what happened to the change feed, in the same step, and nothing when it is refused", async () => {
    await createMemories(
      subject,
      ["a", "b", "c", "d"].map((id) => newMemory({ id })),
    );
    const [a, b, c, d] = await Promise.all(["a", "b", "c", "d"].map((id) => memoryOf(subject, id)));
    if (a === undefined || b === undefined || c === undefined || d === undefined) throw new Error("missing");
    const begin = await memories().changes.end(subject.scope);
    const { write } = await startRun(subject);
    const archived = changed(b, { state: "ARCHIVED", updateTime: LATER });
    const put = [superseded(a, "c", LATER), archived, changed(c, { tags: ["t"] })];
    const there = changes({
      expected: asStored(a, b, c, d),
      put,
      create: [newMemory({ id: "s" })],
      remove: ["d"],
    });
    const wrong = changes({ ...there, expected: [...there.expected, { id: "a", etag: "other" }] });
    expect(await write({ changes: wrong })).toEqual(["a"]);
    expect(await write({ changes: there })).toEqual([]);
    const undo = changes({ expected: asStored(archived), put: [b] });
    expect(await write({ changes: undo }, { now: NOW + 7 })).toEqual([]);
    const read = await memories().changes.read(subject.scope, begin, 100);
    const found = read.kind === "changes" ? read.changes : [];
    expect(found.map(({ kind, memoryId, time }) => [kind, memoryId, time - NOW])).toEqual([
      ["DELETED", "d", 0],
      ["CREATED", "s", 0],
      ["SUPERSEDED", "a", 0],
      ["ARCHIVED", "b", 0],
      ["UPDATED", "c", 0],
      ["RESTORED", "b", 7],
    ]);
  });

  it("makes a memory that is ACTIVE again one that may be recalled", async () => {
    const loop = (id: string) =>
      newMemory(
        { id, text: "the same", sessionId: id },
        { onDuplicate: "RETURN_EXISTING", recalledSince: NOW },
      );
    const create = async (id: string) =>
      (await memories().writer.create(subject.scope, [loop(id)], { now: NOW }))[0];
    await create("a");
    memories().accessCounts.add(subject.scope, ["a"], NOW);
    const a = await memoryOf(subject, "a");
    const { write } = await startRun(subject);
    const archived = changed(a, { state: "ARCHIVED" });
    await write({ changes: changes({ expected: asStored(a), put: [archived] }) });
    expect(await create("b")).toMatchObject({ kind: "created" });
    await memories().writer.delete(subject.scope, "b", { now: NOW });
    await write({ changes: changes({ expected: asStored(archived), put: [a] }) });
    expect(await create("c")).toMatchObject({ kind: "duplicate", recallLoop: true, memory: { id: "a" } });
  });

  it("is what as_of goes by: a memory counts until the run has archived it", async () => {
    await createMemories(subject, [newMemory({ id: "a" }), newMemory({ id: "b" })]);
    const a = await memoryOf(subject, "a");
    const { write } = await startRun(subject);
    const archived = changed(a, { state: "ARCHIVED", updateTime: NOW + 5 });
    const asOf = (at: number) => count({ ...ACTIVE_ONLY, asOf: NOW + at });
    await write({ changes: changes({ expected: asStored(a), put: [archived] }) }, { now: NOW + 5 });
    expect([await asOf(4), await asOf(5)]).toEqual([2, 1]);
    await write({ changes: changes({ expected: asStored(archived), put: [a] }) }, { now: NOW + 9 });
    expect([await asOf(4), await asOf(5), await asOf(20)]).toEqual([2, 2, 2]);
  });

  it("frees the text of what it archives, and a memory that becomes ACTIVE again is a duplicate", async () => {
    const same = (id: string) => newMemory({ id, text: "the same" }, { onDuplicate: "RETURN_EXISTING" });
    const create = async (id: string) =>
      (await memories().writer.create(subject.scope, [same(id)], { now: NOW }))[0];
    await createMemories(subject, [same("a")]);
    const a = await memoryOf(subject, "a");
    const { write } = await startRun(subject);
    const archived = changed(a, { state: "ARCHIVED" });
    await write({ changes: changes({ expected: asStored(a), put: [archived] }) });
    expect(await create("b")).toMatchObject({ kind: "created" });
    await memories().writer.delete(subject.scope, "b", { now: NOW });
    await write({ changes: changes({ expected: asStored(archived), put: [a] }) });
    expect(await create("c")).toMatchObject({ kind: "duplicate", memory: { id: "a" } });
    // One that was ACTIVE all the time.
    await write({ changes: changes({ expected: asStored(a), put: [changed(a, { tags: ["t"] })] }) });
    expect(await create("d")).toMatchObject({ kind: "duplicate", memory: { id: "a" } });
  });

  it("creates memories with words, vector and the next position of their session, and deletes them", async () => {
    await createMemories(subject, [withWords("a", "green tea", 1), withWords("b", "black tea", 2)]);
    const [a, b] = [await memoryOf(subject, "a"), await memoryOf(subject, "b")];
    const { write } = await startRun(subject);
    const summary = withWords("s", "tea of both", 4, { kind: "SUMMARY", sourceIds: ["a", "b"] });
    await write({
      changes: changes({
        expected: asStored(a, b),
        put: [a, b].map((one) => changed(one, { state: "ARCHIVED", supersededBy: "s" })),
        create: [summary],
      }),
    });
    const created = await memoryOf(subject, "s");
    expect(created).toEqual({ ...summary.memory, sessionPosition: 3 });
    expect(await search()).toEqual({ byVector: ["s"], byKeyword: ["s"] });
    const [a2, b2] = [await memoryOf(subject, "a"), await memoryOf(subject, "b")];
    const undo = changes({ expected: asStored(a2, b2, created), put: [a, b], remove: ["s"] });
    await write({ changes: undo });
    expect((await search()).byKeyword).toEqual(["a", "b"]);
    expect([await memoryOf(subject, "a"), await memoryOf(subject, "b")]).toEqual([a, b]);
    expect((await memories().reader.get(subject.scope, ["s"], NOW))[0]).toBeUndefined();
    expect(await subject.store.namespaces.counts(subject.scope)).toMatchObject({ memories: 2 });
  });

  it("forgets the accesses of what it deletes: a later memory with its id begins anew", async () => {
    await createMemories(subject, [newMemory({ id: "a" })]);
    memories().accessCounts.add(subject.scope, ["a"], NOW);
    const a = await memoryOf(subject, "a");
    const { write } = await startRun(subject);
    await write({ changes: changes({ expected: asStored(a), remove: ["a"] }) });
    await createMemories(subject, [newMemory({ id: "a" })]);
    expect((await memoryOf(subject, "a")).access).toBeUndefined();
  });

  it("survives a restart, with all that finds the memories", async () => {
    await createMemories(subject, [withWords("a", "green tea", 1), withWords("b", "black tea", 2)]);
    const [a, b] = [await memoryOf(subject, "a"), await memoryOf(subject, "b")];
    await search();
    const { write } = await startRun(subject);
    await write({ changes: changes({ expected: asStored(a, b), put: [superseded(a, "b", LATER)] }) });
    const before = { ...(await everything()), found: await search(), all: await search(ANY_STATE) };
    await subject.reopen();
    expect({ ...(await everything()), found: await search(), all: await search(ANY_STATE) }).toEqual(before);
    expect(before.found).toEqual({ byVector: ["b"], byKeyword: ["b"] });
  });

  const settled = async (promise: Promise<readonly string[]>): Promise<string> => {
    try {
      return (await promise).length === 0 ? "written" : "conflicts";
    } catch (error) {
      return error instanceof Error ? error.name : "";
    }
  };
}
