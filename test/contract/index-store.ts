import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import type { Backend } from "../../src/ports/backend.ts";
import type { IndexInfo, RebuildProgress } from "../../src/ports/index-store.ts";
import { cacheEntry, NOW, newMemory } from "../support/builders.ts";
import { findNearest } from "../support/cache-lookups.ts";
import { reasonOf, type StoreUnderTest, useStore, VECTOR_DIMENSION, vectorOf } from "./store-under-test.ts";

/** More than a store makes again in one step. */
const COUNT = 240;

/**
 * What every IndexStore promises, beside the stores whose documents it indexes. Unlike other stores under test it is
 * used by no other test: indexes span all tenants.
 */
export function indexStoreContract(
  name: string,
  open: () => Promise<StoreUnderTest<Pick<Backend, "indexes" | "memories" | "cache" | "namespaces">>>,
): void {
  describe(`IndexStore, ${name}`, () => {
    const subject = useStore(open);

    const createMemory = async (first: number, count = 1): Promise<void> => {
      const items = Array.from({ length: count }, (_, index) => memoryAt(first + index));
      const outcomes = await subject.store.memories.writer.create(subject.scope, items, { now: NOW });
      expect(outcomes.map(({ kind }) => kind)).toEqual(items.map(() => "created"));
    };
    const answer = (index: number): Promise<unknown> =>
      subject.store.cache.put(subject.scope, cacheEntry({ id: `e${index}` }), {
        now: NOW,
        maxEntries: 1000,
        vector: vectorOf(index),
      });
    const deleteMemory = (index: number): Promise<void> =>
      subject.store.memories.writer.delete(subject.scope, idAt(index), { now: NOW });

    /** Whether each of these is found by its vector, its word and its id, and how many documents hold its word. */
    const found = (indexes: readonly number[]): Promise<(boolean | number | undefined)[][]> =>
      Promise.all(
        indexes.map(async (index) => {
          const query = {
            vector: vectorOf(index),
            terms: [wordAt(index)],
            filter: { states: ["ACTIVE" as const] },
            limit: 1,
          };
          const [{ byVector: nearest, byKeyword: containing, corpus }, [stored]] = await Promise.all([
            subject.store.memories.search.search(subject.scope, query, NOW),
            subject.store.memories.reader.get(subject.scope, [idAt(index)], NOW),
          ]);
          const isFound = [nearest, containing, [stored]].map((hits) => hits[0]?.id === idAt(index));
          return [...isFound, corpus.documentFrequencies.get(wordAt(index))];
        }),
      );
    const expectFound = async (indexes: readonly number[]): Promise<void> =>
      expect(await found(indexes)).toEqual(indexes.map(() => [true, true, true, 1]));
    const expectMissing = async (indexes: readonly number[]): Promise<void> =>
      expect(await found(indexes)).toEqual(indexes.map(() => [false, false, false, 0]));
    const expectAnswered = async (indexes: readonly number[]): Promise<void> => {
      for (const index of indexes) {
        const near = await findNearest(
          subject.store.cache,
          subject.scope,
          { fingerprint: "f1", vector: vectorOf(index), limit: 1 },
          NOW,
        );
        expect(near.map(({ entry }) => entry.id)).toEqual([`e${index}`]);
      }
    };

    const rebuild = (): AsyncIterable<RebuildProgress> =>
      subject.store.indexes.rebuild(new AbortController().signal);
    const infoOf = async (content: IndexInfo["content"]): Promise<readonly IndexInfo[]> =>
      (await subject.store.indexes.info()).filter((index) => index.content === content);
    const documents = async (content: IndexInfo["content"]): Promise<number> =>
      (await infoOf(content)).reduce((sum, { documentCount }) => sum + documentCount, 0);

    it("describes the content of each index", async () => {
      await createMemory(0, 30);
      await answer(0);
      await answer(1);
      await expectFound([0, 29]);
      await expectAnswered([0, 1]);
      // A store may index writes with a delay.
      await expect.poll(() => documents("MEMORIES")).toBe(30);
      await expect.poll(() => documents("CACHE_ENTRIES")).toBe(2);
      const indexes = await subject.store.indexes.info();
      expect(new Set(indexes.map((index) => index.name)).size).toBe(indexes.length);
      expect(indexes.map(({ content }) => content)).toEqual(
        indexes.map(({ content }) => content).toSorted((a, b) => b.localeCompare(a)),
      );
      for (const index of indexes) {
        expect(index).toMatchObject({ failureCount: 0, indexedFraction: 1, dimension: VECTOR_DIMENSION });
        expect(["HNSW", "FLAT"]).toContain(index.algorithm);
        if (index.documentCount > 0) expect(index.memoryBytes).toBeGreaterThan(0);
      }
      await deleteMemory(3);
      await expect.poll(() => documents("MEMORIES")).toBe(29);
    });

    it("counts a memory that waits for its vector, and one whose text is refused", async () => {
      const embedding = { provider: "", model: "", dimension: 0, truncated: false };
      await createMemory(0, 2);
      const late = [
        newMemory({ id: "late", embedding: { ...embedding, state: "PENDING" } }),
        newMemory({ id: "refused", embedding: { ...embedding, state: "REFUSED" } }),
      ];
      await subject.store.memories.writer.create(subject.scope, late, { now: NOW });
      await expect.poll(() => documents("MEMORIES")).toBe(4);
      const indexes = await infoOf("MEMORIES");
      expect(indexes.reduce((sum, { failureCount }) => sum + failureCount, 0)).toBe(1);
      const whole = indexes.reduce(
        (sum, { documentCount, indexedFraction }) => sum + documentCount * indexedFraction,
        0,
      );
      expect(whole).toBeCloseTo(3);
    });

    it("rebuilds nothing in an empty store", async () => {
      const all = await Array.fromAsync(rebuild());
      expect(all.at(-1)).toEqual({ indexedCount: 0, totalCount: 0 });
    });

    it("reports its progress, and finds everything afterwards, after a restart too", async () => {
      await createMemory(0, COUNT);
      await answer(0);
      const all = await Array.fromAsync(rebuild());
      expect(all[0]).toMatchObject({ indexedCount: 0 });
      expect(all[0]?.totalCount).toBeGreaterThanOrEqual(COUNT);
      expect(all.at(-1)?.indexedCount).toBeGreaterThanOrEqual(COUNT);
      expect(all.at(-1)?.indexedCount).toBe(all.at(-1)?.totalCount);
      const counts = all.map(({ indexedCount }) => indexedCount);
      expect(counts).toEqual(counts.toSorted((a, b) => a - b));
      for (const { indexedCount, totalCount } of all) expect(indexedCount).toBeLessThanOrEqual(totalCount);
      await expectFound([...Array(COUNT).keys()]);
      await expectAnswered([0]);
      await subject.reopen();
      await expectFound([0, 100, COUNT - 1]);
      await expectAnswered([0]);
    });

    it("finds existing memories at every step, written before or meanwhile, and no deleted ones", async () => {
      await createMemory(0, COUNT);
      await answer(0);
      const there = new Set(Array(COUNT).keys());
      const deletedIndexes = new Set<number>();
      let fresh = COUNT;
      let oldest = 0;
      for await (const _ of rebuild()) {
        // Deletes one of the first memories, and one that was written during the rebuild.
        for (const index of [oldest, ...(fresh > COUNT ? [fresh - 1] : [])]) {
          await deleteMemory(index);
          there.delete(index);
          deletedIndexes.add(index);
        }
        oldest += 7;
        await createMemory(fresh, 3);
        for (const index of [fresh, fresh + 1, fresh + 2]) there.add(index);
        fresh += 3;
        await answer(fresh);
        await expectFound([...there]);
        await expectMissing([...deletedIndexes]);
        await expectAnswered([0, fresh]);
      }
      expect(deletedIndexes.size).toBeGreaterThan(2);
      await expectFound([...there]);
      await expectMissing([...deletedIndexes]);
      await subject.reopen();
      await expectFound([...there]);
      await expectMissing([...deletedIndexes]);
      await expect.poll(() => documents("MEMORIES")).toBe(there.size);
    });

    it("completes under continuous writes and reads", async () => {
      await createMemory(0, COUNT);
      let isOver = false;
      let fresh = COUNT;
      const busy = (async () => {
        while (!isOver) {
          await createMemory(fresh);
          await expectFound([fresh, fresh % COUNT]);
          fresh += 1;
        }
      })();
      const all = await Array.fromAsync(rebuild()).finally(() => {
        isOver = true;
      });
      await busy;
      expect(all.at(-1)?.indexedCount).toBe(all.at(-1)?.totalCount);
      await expectFound([...Array(fresh).keys()]);
    });

    it("mixes up no namespaces", async () => {
      const other = { ...subject.scope, namespace: `${subject.scope.namespace}-2` };
      const query = {
        vector: vectorOf(1),
        terms: ["fact"],
        filter: { states: ["ACTIVE" as const] },
        limit: 100,
      };
      await createMemory(0, 10);
      await subject.store.memories.writer.create(other, [memoryAt(20), memoryAt(21)], { now: NOW });
      const ids = async (scope: typeof other): Promise<string[][]> => {
        const { byVector: nearest, byKeyword: containing } = await subject.store.memories.search.search(
          scope,
          query,
          NOW,
        );
        return [nearest, containing].map((hits) => hits.map(({ id }) => id).toSorted());
      };
      const before = [await ids(subject.scope), await ids(other)];
      expect(before[1]).toEqual([
        ["m20", "m21"],
        ["m20", "m21"],
      ]);
      for await (const _ of rebuild()) expect([await ids(subject.scope), await ids(other)]).toEqual(before);
      expect([await ids(subject.scope), await ids(other)]).toEqual(before);
      await subject.store.namespaces.delete(other, { now: NOW });
      expect(await ids(subject.scope)).toEqual(before[0]);
    });

    it("does not restore data of a namespace that is deleted meanwhile", async () => {
      await createMemory(0, COUNT);
      let steps = 0;
      for await (const _ of rebuild()) {
        steps += 1;
        if (steps === 2) await subject.store.namespaces.delete(subject.scope, { now: NOW });
        if (steps === 3) await createMemory(5);
      }
      expect(steps).toBeGreaterThanOrEqual(3);
      await expectFound([5]);
      await expectMissing([0, 4, 6, COUNT - 1]);
    });

    it("is refused while another one is under way, and not afterwards", async () => {
      await createMemory(0, COUNT);
      const running = rebuild()[Symbol.asyncIterator]();
      await running.next();
      expect(await reasonOf(Array.fromAsync(rebuild()))).toBe("INDEX_REBUILD_RUNNING");
      await running.next();
      await running.return?.();
      expect(await reasonOf(Array.fromAsync(rebuild()))).toBeUndefined();
      await expectFound([0, COUNT - 1]);
    });

    it.each([1, 2, 4])("leaves everything as it was when it is called off at step %i", async (step) => {
      await createMemory(0, COUNT);
      const controller = new AbortController();
      const reason = new Error("called off");
      const run = async (): Promise<void> => {
        let steps = 0;
        for await (const _ of subject.store.indexes.rebuild(controller.signal)) {
          steps += 1;
          await createMemory(COUNT + steps);
          if (steps === step) controller.abort(reason);
        }
      };
      await expect(run()).rejects.toBe(reason);
      await createMemory(2 * COUNT);
      await deleteMemory(7);
      await expectFound([0, 1, 6, 8, COUNT - 1, COUNT + 1, COUNT + step, 2 * COUNT]);
      await expectMissing([7]);
      const all = await Array.fromAsync(rebuild());
      expect(all.at(-1)?.indexedCount).toBe(all.at(-1)?.totalCount);
      await expectFound([0, 1, 6, 8, COUNT - 1, COUNT + 1, COUNT + step, 2 * COUNT]);
      await expectMissing([7]);
    });

    it("leaves nothing at the signal that could have called it off", async () => {
      const { signal } = new AbortController();
      await createMemory(0, COUNT);
      for await (const _ of subject.store.indexes.rebuild(signal));
      expect(getEventListeners(signal, "abort")).toEqual([]);
    });

    it("is not begun when it is called off before", async () => {
      await createMemory(0);
      const reason = new Error("called off");
      const signal = AbortSignal.abort(reason);
      await expect(Array.fromAsync(subject.store.indexes.rebuild(signal))).rejects.toBe(reason);
      await expectFound([0]);
    });

    it("that a restart interrupts changes nothing, and can be repeated", async () => {
      await createMemory(0, COUNT);
      const running = rebuild()[Symbol.asyncIterator]();
      for (let step = 0; step < 3; step += 1) await running.next();
      await createMemory(COUNT);
      await subject.reopen();
      await createMemory(COUNT + 1);
      await expectFound([0, COUNT - 1, COUNT, COUNT + 1]);
      const all = await Array.fromAsync(rebuild());
      expect(all.at(-1)?.indexedCount).toBe(all.at(-1)?.totalCount);
      await expectFound([0, COUNT - 1, COUNT, COUNT + 1]);
    });
  });
}

function idAt(index: number): string {
  return `m${index}`;
}

/** A word that no other memory has. */
function wordAt(index: number): string {
  return `word${index}`;
}

function memoryAt(index: number): ReturnType<typeof newMemory> {
  return newMemory(
    { id: idAt(index), text: `a fact of ${wordAt(index)}` },
    { vector: vectorOf(index), terms: ["fact", wordAt(index)] },
  );
}
