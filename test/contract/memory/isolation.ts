import { expect, it } from "vitest";
import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import { ACTIVE_ONLY } from "../../../src/domain/memory/filter.ts";
import { NOW, newMemory } from "../../support/builders.ts";
import { freshNamespaceKey, lookAlikeNamespaceKeys, reasonOf, vectorOf } from "../store-under-test.ts";
import { ALL, idsOf, listAll, type MemorySubject, outcomeText } from "./support.ts";

/** Two scopes share nothing, though ids, texts, terms, vectors, users and sessions be the same. */
export function isolationCases(subject: MemorySubject): void {
  const own = (scope: NamespaceKey, given: Parameters<typeof newMemory>[0] = {}) =>
    newMemory(
      {
        text: "green tea",
        sessionId: "s",
        userId: "u",
        author: scope.namespace,
        role: scope.tenant,
        ...given,
      },
      { vector: vectorOf(1), onDuplicate: "REFUSE" },
    );
  /** Writes a memory m1, whose text names its scope, to every scope. */
  const fill = async (scopes: readonly NamespaceKey[]) => {
    for (const scope of scopes) {
      const outcomes = await subject.store.writer.create(scope, [own(scope)], { now: NOW });
      expect(outcomes.map(outcomeText)).toEqual(["created m1"]);
    }
  };
  const isOf = (scope: NamespaceKey) =>
    expect.objectContaining({ author: scope.namespace, role: scope.tenant });

  it("gives each scope its ids, texts and session positions", async () => {
    const scopes = lookAlikeNamespaceKeys();
    await fill(scopes);
    for (const scope of scopes) {
      expect(await subject.store.reader.get(scope, ["m1"], NOW)).toEqual([isOf(scope)]);
      expect(await listAll(subject.store, scope)).toEqual([isOf(scope)]);
      const [second] = await subject.store.writer.create(scope, [own(scope, { id: "m2", text: "another" })], {
        now: NOW,
      });
      expect(second).toMatchObject({ kind: "created", memory: { sessionPosition: 2 } });
    }
  });

  it("shows ids of another scope in no read", async () => {
    const [first, ...others] = lookAlikeNamespaceKeys();
    const { store } = subject;
    await store.writer.create(first, [own(first, { id: "secret", text: "secret words" })], { now: NOW });
    await fill(others);
    for (const scope of [...others, freshNamespaceKey(), { ...first, namespace: "never-used" }]) {
      const found = await store.search.search(
        scope,
        { vector: vectorOf(1), terms: ["secret", "word"], filter: ACTIVE_ONLY, limit: ALL },
        NOW,
      );
      expect(await store.reader.get(scope, ["secret"], NOW)).toEqual([undefined]);
      expect(await store.search.vectors(scope, ["secret"])).toEqual([undefined]);
      expect(idsOf(await listAll(store, scope))).not.toContain("secret");
      expect(idsOf(found.byVector)).not.toContain("secret");
      expect(found.byKeyword).toEqual([]);
      expect(found.corpus.documentFrequencies.get("secret") ?? 0).toBe(0);
    }
  });

  it("searches each scope alone", async () => {
    const scopes = lookAlikeNamespaceKeys();
    const { store } = subject;
    for (const [index, scope] of scopes.entries()) {
      await store.writer.create(scope, [own(scope, { id: `of-${index}` })], { now: NOW });
    }
    for (const filter of [ACTIVE_ONLY, { ...ACTIVE_ONLY, userId: "u", sessionId: "s" }]) {
      for (const [index, scope] of scopes.entries()) {
        const query = { vector: vectorOf(1), terms: ["tea"], filter, limit: ALL };
        const found = await store.search.search(scope, query, NOW);
        expect([idsOf(found.byVector), idsOf(found.byKeyword)]).toEqual([[`of-${index}`], [`of-${index}`]]);
        expect(idsOf(await store.reader.list(scope, { filter, limit: ALL, now: NOW }))).toEqual([
          `of-${index}`,
        ]);
      }
    }
  });

  it("gives each scope its own vectors", async () => {
    const scopes = lookAlikeNamespaceKeys();
    const { store } = subject;
    for (const [index, scope] of scopes.entries()) {
      await store.writer.create(scope, [newMemory({}, index === 0 ? {} : { vector: vectorOf(index) })], {
        now: NOW,
      });
    }
    for (const [index, scope] of scopes.entries()) {
      expect(await store.search.vectors(scope, ["m1"])).toEqual([index === 0 ? undefined : vectorOf(index)]);
    }
  });

  it("deletes in one scope alone", async () => {
    const [first, ...others] = lookAlikeNamespaceKeys();
    const { store } = subject;
    await fill([first, ...others]);
    await store.writer.create(first, [own(first, { id: "only here", text: "another" })], { now: NOW });
    for (const scope of others) {
      expect(await reasonOf(store.writer.delete(scope, "only here", { now: NOW }))).toBe("MEMORY_NOT_FOUND");
    }
    await store.writer.delete(first, "m1", { now: NOW });
    expect(idsOf(await listAll(store, first))).toEqual(["only here"]);
    for (const scope of others) {
      const query = { vector: vectorOf(1), terms: ["tea"], filter: ACTIVE_ONLY, limit: ALL };
      const found = await store.search.search(scope, query, NOW);
      expect(await listAll(store, scope)).toEqual([isOf(scope)]);
      expect([idsOf(found.byVector), idsOf(found.byKeyword)]).toEqual([["m1"], ["m1"]]);
    }
  });

  it("pages by a position of another scope like by any other", async () => {
    const [first, second] = [freshNamespaceKey(), freshNamespaceKey()];
    const { store } = subject;
    const ids = ["c", "b", "a"];
    for (const scope of [first, second]) {
      await store.writer.create(
        scope,
        ids.map((id) => own(scope, { id, text: id })),
        { now: NOW },
      );
    }
    const after = { createTime: NOW, id: "c" };
    const page = await store.reader.list(second, { filter: ACTIVE_ONLY, after, limit: ALL, now: NOW });
    expect(page.map(({ id, author }) => [id, author])).toEqual([
      ["b", second.namespace],
      ["a", second.namespace],
    ]);
  });
}
