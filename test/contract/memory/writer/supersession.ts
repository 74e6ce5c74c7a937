import { expect, it } from "vitest";
import { ACTIVE_ONLY } from "../../../../src/domain/memory/filter.ts";
import type { Memory, StoredMemory } from "../../../../src/domain/memory/memory.ts";
import { superseded } from "../../../../src/domain/memory/supersession.ts";
import type { CreateOutcome, NewMemory } from "../../../../src/ports/memory/writer.ts";
import { DAY, idempotentRequest, memory, NOW, newMemory } from "../../../support/builders.ts";
import { vectorOf } from "../../store-under-test.ts";
import { ALL, idsOf, listAll, type MemorySubject, search, withWords, write } from "../support.ts";

/** How a new memory replaces others: both sides in one step. */
export function supersessionCases(subject: MemorySubject): void {
  const LATER = NOW + DAY;
  const successor = (supersedes: readonly string[], given: Partial<Memory> = {}): NewMemory =>
    newMemory({ id: "new", ...given, supersedes }, { onDuplicate: "ALLOW" });
  const replace = (item: NewMemory, now = LATER): Promise<CreateOutcome[]> =>
    subject.store.writer.create(subject.scope, [item], { now });
  const get = async (id: string): Promise<StoredMemory | undefined> =>
    (await subject.store.reader.get(subject.scope, [id], LATER))[0];
  const reasonOf = ([outcome]: readonly CreateOutcome[]): unknown =>
    outcome?.kind === "refused" ? [outcome.error.reason, outcome.error.detail.metadata] : outcome?.kind;

  it("stores the new memory and sets the old ones to SUPERSEDED by it", async () => {
    const [one, two] = [memory({ id: "one", tags: ["a"] }), memory({ id: "two" })];
    await write(subject, newMemory(one), newMemory(two), newMemory({ id: "other" }));
    const item = successor(["two", "one"]);
    expect(await replace(item)).toEqual([{ kind: "created", memory: item.memory }]);
    expect(await get("new")).toEqual(item.memory);
    expect(await get("one")).toEqual(superseded(one, "new", LATER));
    expect(await get("two")).toEqual(superseded(two, "new", LATER));
    expect(await get("two")).toMatchObject({
      state: "SUPERSEDED",
      supersededBy: "new",
      updateTime: LATER,
    });
    expect((await get("other"))?.state).toBe("ACTIVE");
  });

  it("is seen by every filter of states, and counted", async () => {
    await write(subject, newMemory({ id: "one" }), newMemory({ id: "two" }));
    await replace(successor(["one"]));
    const options = { limit: ALL, now: LATER };
    const listed = async (state: "ACTIVE" | "SUPERSEDED"): Promise<string[]> =>
      idsOf(await subject.store.reader.list(subject.scope, { ...options, filter: { states: [state] } }));
    expect((await listed("ACTIVE")).sort()).toEqual(["new", "two"]);
    expect(await listed("SUPERSEDED")).toEqual(["one"]);
    expect(await subject.store.reader.count(subject.scope, { states: ["SUPERSEDED"] }, LATER)).toBe(1);
    expect(await subject.store.reader.count(subject.scope, ACTIVE_ONLY, LATER)).toBe(2);
  });

  it("leaves default searches at once, and is found by its words and vector when asked for", async () => {
    await write(subject, withWords("one", "lives in paris", 1), withWords("two", "likes tea", 2));
    const query = { terms: ["paris"], vector: vectorOf(1) };
    // Opens indexes and caches that have to follow.
    expect(idsOf((await search(subject, { ...query, filter: ACTIVE_ONLY }, LATER)).byVector)).toContain(
      "one",
    );
    await replace({
      ...withWords("new", "lives in berlin", 3, { supersedes: ["one"] }),
      onDuplicate: "ALLOW",
    });
    const active = await search(subject, { ...query, filter: ACTIVE_ONLY }, LATER);
    expect(idsOf(active.byVector).sort()).toEqual(["new", "two"]);
    expect(idsOf(active.byKeyword)).toEqual([]);
    const all = await search(subject, query, LATER);
    expect(idsOf(all.byVector)[0]).toBe("one");
    expect(idsOf(all.byKeyword)).toEqual(["one"]);
  });

  it("keeps session position and access statistics of the old one", async () => {
    await write(subject, newMemory({ id: "zero", sessionId: "s" }), newMemory({ id: "one", sessionId: "s" }));
    subject.store.accessCounts.add(subject.scope, ["one", "one"], NOW);
    await replace(successor(["one"], { sessionId: "s" }));
    expect(await get("one")).toMatchObject({ sessionPosition: 2, access: { accessCount: 2 } });
    expect((await get("new"))?.sessionPosition).toBe(3);
  });

  it("frees its text: the same one is no duplicate of it", async () => {
    await write(subject, newMemory({ id: "one", text: "same" }));
    await replace(successor(["one"]));
    const again = newMemory({ id: "again", text: "same" }, { onDuplicate: "RETURN_EXISTING" });
    expect((await replace(again))[0]?.kind).toBe("created");
  });

  it("may have the text of the new one", async () => {
    await write(subject, newMemory({ id: "one", text: "same" }));
    await replace(successor(["one"], { text: "same" }));
    const again = newMemory({ id: "again", text: "same" }, { onDuplicate: "RETURN_EXISTING" });
    expect((await replace(again))[0]).toMatchObject({ kind: "duplicate", memory: { id: "new" } });
  });

  it("is refused as a whole for a memory that does not exist, has expired, or is not ACTIVE", async () => {
    await write(
      subject,
      newMemory({ id: "one" }),
      newMemory({ id: "ended", expireTime: LATER }),
      newMemory({ id: "archived", state: "ARCHIVED" }),
    );
    const before = await listAll(subject.store, subject.scope, LATER);
    const namespace = subject.scope.namespace;
    for (const missing of ["none", "ended"]) {
      expect(reasonOf(await replace(successor(["one", missing])))).toEqual([
        "MEMORY_NOT_FOUND",
        { id: missing, namespace },
      ]);
    }
    expect(reasonOf(await replace(successor(["one", "archived"])))).toEqual([
      "MEMORY_NOT_ACTIVE",
      { id: "archived", state: "ARCHIVED" },
    ]);
    expect(await listAll(subject.store, subject.scope, LATER)).toEqual(before);
  });

  it("is refused for a memory that was superseded before, and names what replaced it", async () => {
    await write(subject, newMemory({ id: "one" }));
    await replace(successor(["one"]));
    expect(reasonOf(await replace(successor(["one"], { id: "newer" })))).toEqual([
      "MEMORY_NOT_ACTIVE",
      { id: "one", state: "SUPERSEDED", superseded_by: "new" },
    ]);
    expect(await get("newer")).toBeUndefined();
  });

  it("is refused for an id that is taken, and changes nothing", async () => {
    await write(subject, newMemory({ id: "one" }), newMemory({ id: "new" }));
    expect((await replace(successor(["one"])))[0]).toMatchObject({
      error: { reason: "MEMORY_ALREADY_EXISTS" },
    });
    expect((await get("one"))?.state).toBe("ACTIVE");
  });

  it("happens once of many concurrent ones", async () => {
    await write(subject, newMemory({ id: "one" }));
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, at) => replace(successor(["one"], { id: `new-${at}` }))),
    );
    const created = outcomes.flatMap(([one]) => (one?.kind === "created" ? [one.memory.id] : []));
    expect(created).toHaveLength(1);
    expect(outcomes.filter((one) => reasonOf(one) !== "created")).toHaveLength(9);
    expect((await get("one"))?.supersededBy).toBe(created[0]);
    expect(idsOf(await listAll(subject.store, subject.scope, LATER)).sort()).toEqual(
      [created[0], "one"].sort(),
    );
  });

  it("is executed once for ten retries of a request", async () => {
    await write(subject, newMemory({ id: "one" }));
    const item = successor(["one"]);
    const request = idempotentRequest({ expireTime: LATER + DAY });
    const outcomes: CreateOutcome[][] = [];
    for (let time = 0; time < 10; time += 1) {
      outcomes.push(await subject.store.writer.create(subject.scope, [item], { now: LATER + time, request }));
    }
    expect(outcomes).toEqual(outcomes.map(() => [{ kind: "created", memory: item.memory }]));
    expect((await get("one"))?.updateTime).toBe(LATER);
  });

  it("can be deleted, and leaves its state in the memories that it superseded", async () => {
    await write(subject, newMemory({ id: "one" }));
    await replace(successor(["one"]));
    await subject.store.writer.delete(subject.scope, "new", { now: LATER });
    expect(await get("one")).toMatchObject({ state: "SUPERSEDED", supersededBy: "new" });
    expect(await subject.store.reader.count(subject.scope, { states: ["SUPERSEDED"] }, LATER)).toBe(1);
  });
}
