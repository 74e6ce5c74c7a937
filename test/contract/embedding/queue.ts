import { describe, expect, it } from "vitest";
import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import type { Refusal } from "../../../src/domain/embedding/refusal.ts";
import type { Memory } from "../../../src/domain/memory/memory.ts";
import type { EmbeddedText, EmbedderIdentity } from "../../../src/ports/embedding/embedder.ts";
import type { PendingMemoryQueue } from "../../../src/ports/embedding/pending-memory-queue.ts";
import type { PendingMemory } from "../../../src/ports/embedding/queue.ts";
import type { Memories } from "../../../src/ports/memory/memories.ts";
import type { NamespaceStore } from "../../../src/ports/namespace-store.ts";
import { NOW, newMemory } from "../../support/builders.ts";
import {
  freshNamespaceKey,
  type StoreUnderTest,
  useStore,
  VECTOR_DIMENSION,
  vectorOf,
} from "../store-under-test.ts";

/** The embedding queue of a backend, and the stores that fill it. */
export interface QueueStores {
  readonly pendingMemories: PendingMemoryQueue;
  readonly memories: Memories;
  readonly namespaces: NamespaceStore;
}

const IDENTITY: EmbedderIdentity = { provider: "contract", model: "random", dimension: VECTOR_DIMENSION };
const FILTER = { states: ["ACTIVE" as const] };

const embedded = (seed: number, truncated = false): EmbeddedText => ({ vector: vectorOf(seed), truncated });

/** The contract of the embedding queue. `open` returns stores of their own. */
export function embeddingQueueContract(name: string, open: () => Promise<StoreUnderTest<QueueStores>>): void {
  describe(`EmbeddingQueue, ${name}`, () => {
    const subject = useStore(open);
    const write = (given: Partial<Memory>, now = NOW, scope: NamespaceKey = subject.scope) =>
      subject.store.memories.writer.create(scope, [newMemory(given)], { now });
    const pending = (options: Partial<Parameters<PendingMemoryQueue["pending"]>[0]> = {}) =>
      subject.store.pendingMemories.pending({
        limit: 100,
        maxBytes: 1e9,
        skip: 0,
        now: NOW + 1000,
        ...options,
      });
    const ids = async (options: Partial<Parameters<PendingMemoryQueue["pending"]>[0]> = {}) =>
      (await pending(options)).map(({ id }) => id);
    const settle = (one: PendingMemory | undefined, outcome: EmbeddedText | Refusal, now = NOW) => {
      if (one === undefined) throw new Error("nothing is pending");
      const { scope, id, etag } = one;
      return subject.store.pendingMemories.settle([{ scope, id, etag, outcome }], {
        identity: IDENTITY,
        now,
      });
    };
    const get = async (id: string) => (await subject.store.memories.reader.get(subject.scope, [id], NOW))[0];
    const nearest = async (seed: number) =>
      (
        await subject.store.memories.search.search(
          subject.scope,
          { vector: vectorOf(seed), filter: FILTER, limit: 10 },
          NOW,
        )
      ).byVector.map(({ id }) => id);

    it("is empty where nothing is pending", async () => {
      await subject.store.memories.writer.create(subject.scope, [newMemory({}, { vector: vectorOf(1) })], {
        now: NOW,
      });
      expect(await pending()).toEqual([]);
      expect(await subject.store.pendingMemories.state()).toEqual({ count: 0 });
    });

    it("contains memories written without a vector, by any method, in any namespace, the oldest first", async () => {
      const other = freshNamespaceKey();
      await write({ id: "b", text: "hello", author: "Ann" }, NOW + 2);
      await write({ id: "a" }, NOW + 1, other);
      await subject.store.memories.importer.import(subject.scope, [newMemory({ id: "c", createTime: 1 })], {
        now: NOW + 3,
      });
      const [a, b, c] = await pending();
      expect([a?.id, b?.id, c?.id]).toEqual(["a", "b", "c"]);
      expect(b).toMatchObject({ scope: subject.scope, text: "Ann: hello", attempts: 0 });
      expect(a?.scope).toEqual(other);
      expect(b?.etag).toBe((await get("b"))?.etag);
      expect(await subject.store.pendingMemories.state()).toEqual({
        count: 3,
        oldestTime: NOW + 1,
        nextTime: NOW + 1,
      });
    });

    it("respects the limits in number and bytes, returns at least one, and skips the first", async () => {
      for (const id of ["a", "b", "c", "d"]) await write({ id, text: `${id} ${"long ".repeat(100)}` });
      expect(await ids({ limit: 2 })).toEqual(["a", "b"]);
      expect(await ids({ limit: 2, skip: 1 })).toEqual(["b", "c"]);
      expect(await ids({ maxBytes: 1 })).toEqual(["a"]);
      expect(await ids({ skip: 4 })).toEqual([]);
    });

    it("settles: the memory has its vector, is found by it, and is otherwise what it was", async () => {
      await write({ id: "a" });
      await write({ id: "near" });
      // Searched before, so that indexes in memory must be updated.
      expect(await nearest(1)).toEqual([]);
      const before = await get("a");
      const [one] = await pending();
      expect(await settle(one, embedded(1, true))).toBe(1);
      expect(await get("a")).toEqual({
        ...before,
        embedding: { ...IDENTITY, state: "READY", truncated: true },
      });
      expect(await nearest(1)).toEqual(["a"]);
      expect(await subject.store.memories.search.vectors(subject.scope, ["a"])).toEqual([vectorOf(1)]);
      expect(await ids()).toEqual(["near"]);
      expect(await settle(one, embedded(2))).toBe(0);
      await subject.reopen();
      expect(await nearest(1)).toEqual(["a"]);
      expect(await ids()).toEqual(["near"]);
    });

    it("does not settle memories that were corrected, deleted, deleted with their namespace, or have expired meanwhile", async () => {
      const { memories, namespaces } = subject.store;
      const other = freshNamespaceKey();
      await write({ id: "corrected" });
      await write({ id: "deleted" });
      await write({ id: "expired", expireTime: NOW + 10 });
      await write({ id: "in-deleted" }, NOW, other);
      const found = await pending({ now: NOW });
      expect(found).toHaveLength(4);
      const before = await get("corrected");
      await memories.writer.replace(
        subject.scope,
        before?.etag ?? "",
        newMemory({ id: "corrected", text: "another" }),
        { now: NOW },
      );
      await memories.writer.delete(subject.scope, "deleted", { now: NOW });
      await namespaces.delete(other, { now: NOW });
      for (const one of found) expect(await settle(one, embedded(1), NOW + 10)).toBe(0);
      const [again, ...rest] = await pending();
      expect(again).toMatchObject({ id: "corrected", text: "another" });
      expect(rest).toEqual([]);
      // The read has removed expired ones.
      expect(await subject.store.pendingMemories.state()).toMatchObject({ count: 1 });
    });

    it("takes memories of one id in two scopes for two", async () => {
      const other = { ...subject.scope, namespace: freshNamespaceKey().namespace };
      await write({ id: "same", text: "of the first" });
      await write({ id: "same", text: "of the second" }, NOW + 1, other);
      const [first, second] = await pending();
      if (second === undefined) throw new Error("two should wait");
      await subject.store.pendingMemories.postpone([{ ...second, dueTime: NOW + 5000 }]);
      expect((await pending()).map(({ scope }) => scope)).toEqual([subject.scope]);
      expect(await settle(second, embedded(2))).toBe(1);
      expect((await pending()).map(({ scope }) => scope)).toEqual([subject.scope]);
      expect(await settle(first, embedded(1))).toBe(1);
      const { memories } = subject.store;
      expect(await memories.search.vectors(subject.scope, ["same"])).toEqual([vectorOf(1)]);
      expect(await memories.search.vectors(other, ["same"])).toEqual([vectorOf(2)]);
    });

    it("does not contain a memory that was corrected together with its vector", async () => {
      await write({ id: "a" });
      const before = await get("a");
      await subject.store.memories.writer.replace(
        subject.scope,
        before?.etag ?? "",
        newMemory({ id: "a", text: "another" }, { vector: vectorOf(1) }),
        { now: NOW },
      );
      expect(await ids()).toEqual([]);
    });

    it("still contains a memory that a duplicate has changed meanwhile, notifies of it, and settles only its new state", async () => {
      let announced = 0;
      await write({ id: "a", text: "the same" });
      const [before] = await pending();
      subject.store.pendingMemories.onAdded(() => {
        announced += 1;
      });
      const duplicate = newMemory(
        { id: "b", text: "the same", tags: ["x"] },
        { onDuplicate: "RETURN_EXISTING" },
      );
      await subject.store.memories.writer.create(subject.scope, [duplicate], { now: NOW + 1 });
      expect(announced).toBe(1);
      expect(await settle(before, embedded(1))).toBe(0);
      const [after] = await pending();
      expect(after).toEqual({ ...before, etag: (await get("a"))?.etag });
      expect(after?.etag).not.toBe(before?.etag);
      expect(await settle(after, embedded(1))).toBe(1);
      expect(await nearest(1)).toEqual(["a"]);
      expect((await get("a"))?.tags).toEqual(["x"]);
    });

    it("puts off, durably, behind those that are not, and counts how often", async () => {
      await write({ id: "a" });
      await write({ id: "b" });
      const [a] = await pending();
      if (a === undefined) throw new Error("nothing is pending");
      await subject.store.pendingMemories.postpone([{ ...a, dueTime: NOW + 5000.5 }]);
      expect(await ids()).toEqual(["b"]);
      await subject.reopen();
      const later = await pending({ now: NOW + 6000 });
      expect(later.map(({ id, attempts }) => [id, attempts])).toEqual([
        ["b", 0],
        ["a", 1],
      ]);
      // Still the one that has waited longest.
      expect(await subject.store.pendingMemories.state()).toEqual({
        count: 2,
        oldestTime: NOW,
        nextTime: NOW,
      });
      await subject.store.memories.writer.delete(subject.scope, "b", { now: NOW });
      expect((await subject.store.pendingMemories.state()).nextTime).toBeGreaterThanOrEqual(NOW + 5000);
      await subject.store.pendingMemories.postpone([{ ...a, etag: "another", dueTime: NOW }]);
      expect(await ids()).toEqual([]);
    });

    it("does not count a refused memory, and retries it only on request", async () => {
      await write({ id: "a" });
      const [one] = await pending();
      expect(await settle(one, { refusal: "400 (bad)" })).toBe(1);
      expect((await get("a"))?.embedding).toEqual({
        ...{ ...IDENTITY, state: "REFUSED", truncated: false },
        refusal: "400 (bad)",
      });
      expect((await get("a"))?.etag).toBe(one?.etag);
      const written = newMemory({ id: "b", embedding: { ...IDENTITY, state: "REFUSED", truncated: false } });
      await subject.store.memories.writer.create(subject.scope, [written], { now: NOW });
      expect(await ids({ now: NOW + 1e12 })).toEqual([]);
      expect(await subject.store.pendingMemories.state()).toEqual({ count: 0 });
      await subject.reopen();
      expect(await ids({ now: NOW + 1e12 })).toEqual([]);
      await subject.store.pendingMemories.retryRefused();
      const [again] = await pending();
      expect(await ids()).toEqual(["a", "b"]);
      expect(await settle(again, embedded(1))).toBe(1);
      expect(await nearest(1)).toEqual(["a"]);
      expect(await subject.store.pendingMemories.state()).toMatchObject({ count: 0 });
    });

    it("reports the number of refused memories and the latest reasons, also after a restart", async () => {
      const { pendingMemories, memories } = subject.store;
      expect(await pendingMemories.refused({ limit: 10 })).toEqual({ count: 0, latest: [] });
      for (const id of ["a", "b", "c", "d"]) await write({ id }, NOW, freshNamespaceKey());
      const found = await pending();
      const [a, b, c] = ["a", "b", "c"].map((name) => found.find(({ id }) => id === name));
      await settle(b, { refusal: "422" }, NOW + 5);
      await settle(a, { refusal: "400 (bad)" }, NOW + 7);
      await settle(c, embedded(1));
      const embedding = { ...IDENTITY, state: "REFUSED", truncated: false } as const;
      const written = newMemory({ id: "e", embedding: { ...embedding, refusal: "413" } });
      await memories.writer.create(subject.scope, [written], { now: NOW + 6 });
      // As earlier versions wrote it.
      await memories.writer.create(subject.scope, [newMemory({ id: "f", embedding })], { now: NOW + 1 });
      await subject.reopen();
      const refused = (limit: number) => subject.store.pendingMemories.refused({ limit });
      const all = [
        { refusal: "400 (bad)", refuseTime: NOW + 7 },
        { refusal: "413", refuseTime: NOW + 6 },
        { refusal: "422", refuseTime: NOW + 5 },
        { refusal: "", refuseTime: NOW + 1 },
      ];
      expect(await refused(10)).toEqual({ count: 4, latest: all });
      expect(await refused(2)).toEqual({ count: 4, latest: all.slice(0, 2) });
      expect(await subject.store.pendingMemories.state()).toMatchObject({ count: 1 });
      await subject.store.pendingMemories.retryRefused();
      expect(await refused(10)).toEqual({ count: 4, latest: [] });
      expect((await subject.store.memories.reader.get(subject.scope, ["e"], NOW))[0]?.embedding.refusal).toBe(
        "413",
      );
      await settle(
        (await pending()).find(({ id }) => id === "a"),
        embedded(2),
      );
      await subject.store.memories.writer.delete(subject.scope, "e", { now: NOW + 8 });
      expect((await refused(10)).count).toBe(2);
    });

    it("notifies of added memories, once they can be read, and not of memories with a vector", async () => {
      const heard: Promise<string[]>[] = [];
      subject.store.pendingMemories.onAdded(() => void heard.push(ids()));
      await subject.store.memories.writer.create(
        subject.scope,
        [newMemory({ id: "ready" }, { vector: vectorOf(1) })],
        { now: NOW },
      );
      expect(heard).toEqual([]);
      await write({ id: "a" });
      expect(await Promise.all(heard)).toEqual([["a"]]);
    });
  });
}
