import { describe, expect, it } from "vitest";
import { RecollectError } from "../../src/domain/errors.ts";
import type { Backend } from "../../src/ports/backend.ts";
import { cacheEntry, idempotentRequest, NOW, newMemory } from "../support/builders.ts";
import { findEntry } from "../support/cache-lookups.ts";
import { reasonOf, type StoreUnderTest, useStore, vectorOf } from "./store-under-test.ts";

/** The contract of NamespaceStore, with the stores that fill its namespaces. */
export function namespaceStoreContract(
  name: string,
  open: () => Promise<StoreUnderTest<Pick<Backend, "namespaces" | "memories" | "cache">>>,
): void {
  describe(`NamespaceStore, ${name}`, () => {
    const subject = useStore(open);
    const at = (namespace: string) => ({ tenant: subject.scope.tenant, namespace });
    const createMemory = (namespace: string, id = "m1"): Promise<unknown> =>
      subject.store.memories.writer.create(at(namespace), [newMemory({ id }, { vector: vectorOf(1) })], {
        now: NOW,
      });
    const list = (after = "", limit = 100): Promise<string[]> =>
      subject.store.namespaces.list(subject.scope.tenant, { after, limit });

    it("lists the namespaces that were written to, by name and page by page", async () => {
      expect(await list()).toEqual([]);
      for (const namespace of ["c", "a", "b-1", "b"]) await createMemory(namespace);
      expect(await list()).toEqual(["a", "b", "b-1", "c"]);
      expect(await list("", 2)).toEqual(["a", "b"]);
      expect(await list("b", 2)).toEqual(["b-1", "c"]);
      expect(await subject.store.namespaces.list("another-tenant", { after: "", limit: 10 })).toEqual([]);
    });

    it("lists no namespace after a completely refused write", async () => {
      const refusal = new RecollectError("REQUEST_INVALID", "no");
      await subject.store.memories.writer.create(at("a"), [{ refusal }], { now: NOW });
      expect(await list()).toEqual([]);
    });

    it("counts the content of a namespace, and zero for a missing one", async () => {
      await createMemory("a");
      await createMemory("a", "m2");
      await subject.store.cache.put(at("a"), cacheEntry(), { now: NOW, maxEntries: 100 });
      expect(await subject.store.namespaces.counts(at("a"))).toEqual({ memories: 2, cacheEntries: 1 });
      expect(await subject.store.namespaces.counts(at("b"))).toEqual({ memories: 0, cacheEntries: 0 });
    });

    it("deletes a whole namespace, and no other", async () => {
      await createMemory("a");
      await createMemory("b");
      const entry = cacheEntry();
      await subject.store.cache.put(at("a"), entry, { now: NOW, maxEntries: 100 });
      await subject.store.memories.search.search(
        at("a"),
        { vector: vectorOf(1), filter: { states: ["ACTIVE"] }, limit: 5 },
        NOW,
      );
      expect(await subject.store.namespaces.delete(at("a"), { now: NOW })).toEqual({
        memories: 1,
        cacheEntries: 1,
      });
      expect(await list()).toEqual(["b"]);
      expect(await subject.store.memories.reader.get(at("a"), ["m1"], NOW)).toEqual([undefined]);
      expect(await findEntry(subject.store.cache, at("a"), entry.id, NOW)).toBeUndefined();
      const found = await subject.store.memories.search.search(
        at("a"),
        { vector: vectorOf(1), terms: ["text"], filter: { states: ["ACTIVE"] }, limit: 5 },
        NOW,
      );
      expect([found.byVector, found.byKeyword, found.corpus.documentCount]).toEqual([[], [], 0]);
      expect((await subject.store.memories.reader.get(at("b"), ["m1"], NOW))[0]?.id).toBe("m1");
      await createMemory("a");
      expect(await subject.store.namespaces.counts(at("a"))).toEqual({ memories: 1, cacheEntries: 0 });
    });

    it("leaves no lookup behind that was counted before a deletion", async () => {
      const { cache, namespaces } = subject.store;
      await cache.put(at("a"), cacheEntry(), { now: NOW, maxEntries: 100 });
      cache.countLookup(at("a"), { kind: "MISS" }, NOW);
      await namespaces.delete(at("a"), { now: NOW });
      cache.countLookup(at("a"), { kind: "MISS" }, NOW);
      await createMemory("a");
      cache.countLookup(at("a"), { kind: "MISS" }, NOW);
      expect(await cache.stats(at("a"), NOW)).toMatchObject({ misses: 1, stores: 0 });
    });

    it("replays the response of a deletion, although the namespace is deleted or created again", async () => {
      await createMemory("a");
      const request = idempotentRequest();
      const remove = (): Promise<unknown> => subject.store.namespaces.delete(at("a"), { now: NOW, request });
      const counts = { memories: 1, cacheEntries: 0 };
      expect(await Promise.all([remove(), remove(), remove()])).toEqual([counts, counts, counts]);
      await createMemory("a");
      expect(await remove()).toEqual(counts);
      expect(await list()).toEqual(["a"]);
      const other = subject.store.namespaces.delete(at("a"), {
        now: NOW,
        request: { ...request, bodyHash: "another" },
      });
      expect(await reasonOf(other)).toBe("REQUEST_ID_REUSED");
    });
  });
}
