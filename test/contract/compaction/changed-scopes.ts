import { expect, it } from "vitest";
import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import type { ChangedScope } from "../../../src/ports/compaction/compaction-store.ts";
import { NOW, newMemory } from "../../support/builders.ts";
import { freshNamespaceKey, lookAlikeNamespaceKeys } from "../store-under-test.ts";
import {
  asStored,
  type CompactionSubject,
  changed,
  changes,
  createMemories,
  memoryOf,
  startRun,
} from "./support.ts";

/** Which users' memories have changed since their last run. */
export function changedScopeCases(subject: CompactionSubject): void {
  const store = () => subject.store.compactions;
  const EVERY = { since: Number.MAX_SAFE_INTEGER, changes: 1, limit: 1000 };
  const all = () => store().changedScopes(EVERY);
  /** As [user, time of the first change after NOW, changes], of the scope of the test alone. */
  const shown = async (options = EVERY) =>
    (await store().changedScopes(options)).map(({ namespaceKey, userId, since, changes: count }) => {
      expect(namespaceKey).toEqual(subject.scope);
      return [userId, since - NOW, count];
    });

  it("holds what calls create, merge, replace and import, with the first time and the number", async () => {
    const fact = newMemory({ id: "a", userId: "ana", text: "same" });
    await createMemories(subject, [fact, newMemory({ id: "b", userId: "ana" })], { now: NOW + 1 });
    await createMemories(subject, [newMemory({ id: "c" })], { now: NOW + 2 });
    expect(await shown()).toEqual([
      ["ana", 1, 2],
      ["", 2, 1],
    ]);
    // A duplicate that changes the stored memory, and one that does not.
    const again = newMemory({ id: "d", userId: "ana", text: "same", tags: ["new"] });
    await createMemories(subject, [again], { now: NOW + 3 });
    await createMemories(subject, [again], { now: NOW + 4 });
    expect((await shown())[0]).toEqual(["ana", 1, 3]);
    const { etag } = await memoryOf(subject, "c");
    const next = newMemory({ id: "c", text: "corrected" });
    await subject.store.memories.writer.replace(subject.scope, etag, next, { now: NOW + 5 });
    const imported = [newMemory({ id: "e", userId: "ben" }), newMemory({ id: "a", userId: "eve" })];
    await subject.store.memories.importer.import(subject.scope, imported, { now: NOW + 6 });
    expect(await shown()).toEqual([
      ["ana", 1, 3],
      ["", 2, 2],
      ["ben", 6, 1],
    ]);
  });

  it("holds no reads, deletions or refused writes", async () => {
    await createMemories(subject, [newMemory({ id: "a", userId: "ana" })]);
    await takeAll();
    await createMemories(subject, [newMemory({ id: "a", userId: "ana" })]);
    const { etag } = await memoryOf(subject, "a");
    await subject.store.memories.reader.get(subject.scope, ["a"], NOW);
    const wrong = subject.store.memories.writer.replace(subject.scope, "other", newMemory({ id: "a" }), {
      now: NOW,
    });
    await expect(wrong).rejects.toMatchObject({ reason: "ETAG_MISMATCH" });
    await subject.store.memories.writer.delete(subject.scope, "a", { etag, now: NOW });
    await subject.store.memories.purge.run(subject.scope, { states: ["ACTIVE"] }, { now: NOW });
    expect(await all()).toEqual([]);
  });

  it("holds nothing that a compaction writes", async () => {
    await createMemories(subject, [newMemory({ id: "a", userId: "ana" })]);
    await takeAll();
    const a = await memoryOf(subject, "a");
    const { write } = await startRun(subject);
    const put = [changed(a, { state: "ARCHIVED" })];
    await write({
      changes: changes({ expected: asStored(a), put, create: [newMemory({ id: "s", userId: "ana" })] }),
    });
    const archived = await memoryOf(subject, "a");
    await write({ changes: changes({ expected: asStored(archived), remove: ["a"] }) });
    expect(await all()).toEqual([]);
  });

  it("is given to one process alone, and begins anew", async () => {
    await createMemories(subject, [newMemory({ id: "a", userId: "ana" })], { now: NOW + 1 });
    const [scope] = await all();
    if (scope === undefined) throw new Error("no changed scope");
    // Changes until it is taken belong to it.
    await createMemories(subject, [newMemory({ id: "b", userId: "ana" })], { now: NOW + 2 });
    const taken = await Promise.all([scope, scope, scope].map((one) => store().takeScope(one)));
    expect(taken.filter((one) => one)).toHaveLength(1);
    expect(await all()).toEqual([]);
    await createMemories(subject, [newMemory({ id: "c", userId: "ana" })], { now: NOW + 3 });
    // One that still has the earlier answer takes nothing.
    expect(await store().takeScope(scope)).toBe(false);
    expect(await shown()).toEqual([["ana", 3, 1]]);
    expect(await store().takeScope({ ...scope, userId: "nobody" })).toBe(false);
    expect(await store().takeScope({ ...scope, namespaceKey: freshNamespaceKey() })).toBe(false);
  });

  it("is due by its first change, oldest first, or by the number of changes, most first", async () => {
    const users = [
      ["old", 1, 1],
      ["older", 0, 1],
      ["young", 50, 1],
      ["busy", 60, 5],
      ["busiest", 70, 9],
      ["both", 2, 7],
    ] as const;
    for (const [userId, since, count] of users) {
      const items = Array.from({ length: count }, (_, at) => newMemory({ id: `${userId}-${at}`, userId }));
      await createMemories(subject, items, { now: NOW + since });
    }
    const due = async (since: number, count: number, limit = 100) =>
      (await shown({ since: NOW + since, changes: count, limit })).map(([userId]) => userId);
    expect(await due(2, 100)).toEqual(["older", "old", "both"]);
    expect(await due(1, 5)).toEqual(["older", "old", "busiest", "both", "busy"]);
    expect(await due(-1, 6)).toEqual(["busiest", "both"]);
    expect(await due(-1, 100)).toEqual([]);
    expect(await due(1, 5, 1)).toEqual(["older"]);
    expect(await due(1, 5, 4)).toEqual(["older", "old", "busiest", "both"]);
    expect(await due(100, 100, 4)).toEqual(["older", "old", "both", "young"]);
  });

  it("is of all namespaces, and keeps those apart that look alike", async () => {
    const scopes = lookAlikeNamespaceKeys();
    for (const [at, scope] of scopes.entries()) {
      const items = [newMemory({ id: "a", userId: "ana" }), newMemory({ id: "b", userId: "b/c: d\n茶" })];
      await createMemories(subject, items, { now: NOW + at, scope });
    }
    const key = ({ namespaceKey: { tenant, namespace }, userId, since }: ChangedScope): string =>
      JSON.stringify([tenant, namespace, userId, since - NOW]);
    const expected = (of: readonly NamespaceKey[], users: readonly string[]) =>
      of.flatMap((namespaceKey) =>
        users.map((userId) =>
          key({ namespaceKey, userId, since: NOW + scopes.indexOf(namespaceKey), changes: 1 }),
        ),
      );
    const users = ["ana", "b/c: d\n茶"];
    expect((await all()).map(key).sort()).toEqual(expected(scopes, users).sort());
    const [first, second, ...others] = scopes;
    for (const one of (await all()).filter(({ namespaceKey }) => namespaceKey.namespace === first.namespace))
      if (one.namespaceKey.tenant === first.tenant && one.userId === "ana") await store().takeScope(one);
    expect((await all()).map(key)).not.toContain(expected([first], ["ana"])[0]);
    expect(await all()).toHaveLength(2 * scopes.length - 1);
    // Removed with its namespace, also for the one that is created again.
    await subject.store.namespaces.delete(second ?? first, { now: NOW });
    expect(await all()).toHaveLength(2 * scopes.length - 3);
    await createMemories(subject, [newMemory({ id: "a", userId: "ana" })], {
      now: NOW + 99,
      scope: second ?? first,
    });
    const again = (await all()).filter(({ since }) => since === NOW + 99);
    expect(again).toEqual([{ namespaceKey: second, userId: "ana", since: NOW + 99, changes: 1 }]);
    expect((await store().changedScopes({ ...EVERY, limit: 3 })).length).toBe(3);
    expect(others.length).toBeGreaterThan(0);
  });

  it("survives a restart", async () => {
    await createMemories(subject, [newMemory({ id: "a", userId: "ana" })], { now: NOW + 1 });
    await subject.reopen();
    await createMemories(subject, [newMemory({ id: "b", userId: "ana" })], { now: NOW + 2 });
    expect(await shown()).toEqual([["ana", 1, 2]]);
  });

  async function takeAll(): Promise<void> {
    for (const scope of await all()) expect(await store().takeScope(scope)).toBe(true);
    expect(await all()).toEqual([]);
  }
}
