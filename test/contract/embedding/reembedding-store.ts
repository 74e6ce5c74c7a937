import { describe, expect, it } from "vitest";
import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import type { Refusal } from "../../../src/domain/embedding/refusal.ts";
import type { Memory } from "../../../src/domain/memory/memory.ts";
import type { EmbeddedText, EmbedderIdentity } from "../../../src/ports/embedding/embedder.ts";
import type { PendingMemoryQueue } from "../../../src/ports/embedding/pending-memory-queue.ts";
import type { PendingMemory } from "../../../src/ports/embedding/queue.ts";
import type { ReembeddingStore } from "../../../src/ports/embedding/reembedding-store.ts";
import type { IdempotentRequest } from "../../../src/ports/idempotency.ts";
import type { Memories } from "../../../src/ports/memory/memories.ts";
import { DAY, NOW, newMemory } from "../../support/builders.ts";
import {
  freshNamespaceKey,
  reasonOf,
  type StoreUnderTest,
  useStore,
  VECTOR_DIMENSION,
  vectorOf,
} from "../store-under-test.ts";

/** The stores of one backend that a re-embedding is about. */
export interface ReembeddingStores {
  readonly reembedding: ReembeddingStore;
  readonly pendingMemories: PendingMemoryQueue;
  readonly memories: Memories;
}

const TARGET: EmbedderIdentity = { provider: "contract", model: "another", dimension: VECTOR_DIMENSION };
const ALL = { limit: 100, maxBytes: 1e9, skip: 0, now: NOW };
/** Vectors of the new model are those of seeds from here on. */
const NEW = 100;

/** The contract of ReembeddingStore. `open` returns stores of their own, whose vectors are of `source`. */
export function reembeddingStoreContract(
  name: string,
  source: EmbedderIdentity,
  open: () => Promise<StoreUnderTest<ReembeddingStores>>,
): void {
  describe(`ReembeddingStore, ${name}`, () => {
    const subject = useStore(open);
    const write = (id: string, seed: number | undefined, scope: NamespaceKey = subject.scope) =>
      subject.store.memories.writer.create(
        scope,
        [
          newMemory(
            { id, embedding: embeddingOf(seed) },
            seed === undefined ? {} : { vector: vectorOf(seed) },
          ),
        ],
        { now: NOW },
      );
    const embeddingOf = (seed: number | undefined): Memory["embedding"] => ({
      ...source,
      state: seed === undefined ? "PENDING" : "READY",
      truncated: false,
    });
    const start = (target = TARGET, id = "r1", request?: IdempotentRequest) =>
      subject.store.reembedding.start({
        id,
        target,
        now: NOW,
        ...(request === undefined ? {} : { request }),
      });
    const pending = () => subject.store.reembedding.work.pending(ALL);
    const settle = (one: PendingMemory | undefined, outcome: EmbeddedText | Refusal, identity = TARGET) => {
      if (one === undefined) throw new Error("nothing is left to be embedded");
      return subject.store.reembedding.work.settle([{ ...one, outcome }], { identity, now: NOW });
    };
    /** Gives all that is left vectors of the new model: the first one that of seed 100, and so on. */
    const settleAll = async () => {
      for (const [index, one] of (await pending()).entries()) {
        await settle(one, { vector: vectorOf(NEW + index), truncated: false });
      }
    };
    const cutOver = (maxLeft = 0) => subject.store.reembedding.cutOver({ maxLeft, now: NOW + 1 });
    const vectors = (ids: readonly string[], scope: NamespaceKey = subject.scope) =>
      subject.store.memories.search.vectors(scope, ids);
    const nearest = async (seed: number) =>
      (
        await subject.store.memories.search.search(
          subject.scope,
          { vector: vectorOf(seed), filter: { states: ["ACTIVE"] }, limit: 1 },
          NOW,
        )
      ).byVector.map(({ id }) => id);
    const get = async (id: string) => (await subject.store.memories.reader.get(subject.scope, [id], NOW))[0];
    const cleanUp = async () => {
      while (await subject.store.reembedding.cleanUp());
    };

    it("has the model of the vectors and no re-embedding at first, and does nothing", async () => {
      const { reembedding } = subject.store;
      expect(reembedding.identity()).toEqual(source);
      expect(await reembedding.latest()).toBeUndefined();
      expect([await pending(), await cutOver(1000), await reembedding.cleanUp()]).toEqual([[], false, false]);
    });

    it("leaves the old vectors to searches until the change, which is one step for all", async () => {
      await write("a", 1);
      await write("b", 2);
      const started = await start();
      expect(started).toEqual({
        id: "r1",
        source,
        target: TARGET,
        state: "RUNNING",
        memoryCount: 2,
        remainingCount: 2,
        startTime: NOW,
      });
      const before = await get("a");
      const [first] = await pending();
      expect(await settle(first, { vector: vectorOf(NEW), truncated: true })).toBe(1);
      expect(await subject.store.reembedding.latest()).toEqual({ ...started, remainingCount: 1 });
      expect(await cutOver()).toBe(false);
      expect(await vectors(["a", "b"])).toEqual([vectorOf(1), vectorOf(2)]);
      expect(await nearest(1)).toEqual(["a"]);
      expect(await get("a")).toEqual(before);

      await settleAll();
      const models: unknown[] = [];
      subject.store.reembedding.onCutOver((identity) => void models.push(identity));
      expect(await cutOver()).toBe(true);
      expect(models).toEqual([TARGET]);
      expect(subject.store.reembedding.identity()).toEqual(TARGET);
      expect(await vectors(["a", "b"])).toEqual([vectorOf(NEW), vectorOf(NEW)]);
      expect(await get("a")).toEqual({
        ...before,
        embedding: { ...TARGET, state: "READY", truncated: true },
      });
      expect((await get("b"))?.embedding).toEqual({ ...TARGET, state: "READY", truncated: false });
      expect(await subject.store.reembedding.latest()).toEqual({
        ...started,
        state: "DONE",
        remainingCount: 0,
        endTime: NOW + 1,
      });
      expect(await cutOver()).toBe(false);
    });

    it("is, half done or done, what it was after a restart", async () => {
      await write("a", 1);
      await write("b", 2);
      await start();
      await settle((await pending())[0], { vector: vectorOf(NEW), truncated: false });
      await subject.reopen();
      expect(subject.store.reembedding.identity()).toEqual(source);
      expect(await subject.store.reembedding.latest()).toMatchObject({ state: "RUNNING", remainingCount: 1 });
      expect(await nearest(1)).toEqual(["a"]);
      const [left, ...rest] = await pending();
      expect([left?.id, rest]).toEqual(["b", []]);
      await settle(left, { vector: vectorOf(NEW + 1), truncated: false });
      expect(await cutOver()).toBe(true);
      await subject.reopen();
      expect(subject.store.reembedding.identity()).toEqual(TARGET);
      expect(await subject.store.reembedding.latest()).toMatchObject({ state: "DONE" });
      expect(await vectors(["a", "b"])).toEqual([vectorOf(NEW), vectorOf(NEW + 1)]);
      expect(await nearest(NEW + 1)).toEqual(["b"]);
    });

    it("takes memories of one id in two scopes for two", async () => {
      const other = { ...subject.scope, namespace: freshNamespaceKey().namespace };
      await write("same", 1);
      await write("same", 2, other);
      await start();
      // In whatever order.
      const both = await pending();
      const [first, second] = [subject.scope, other].map(({ namespace }) =>
        both.find(({ scope }) => scope.namespace === namespace),
      );
      expect(both.map(({ scope }) => scope)).toEqual(expect.arrayContaining([subject.scope, other]));
      expect(await settle(second, { vector: vectorOf(NEW + 2), truncated: false })).toBe(1);
      expect((await pending()).map(({ scope }) => scope)).toEqual([subject.scope]);
      expect(await settle(first, { vector: vectorOf(NEW + 1), truncated: false })).toBe(1);
      expect(await cutOver()).toBe(true);
      expect(await vectors(["same"])).toEqual([vectorOf(NEW + 1)]);
      expect(await vectors(["same"], other)).toEqual([vectorOf(NEW + 2)]);
    });

    it("includes memories that are written, corrected or embedded meanwhile, and drops deleted ones", async () => {
      for (const [index, id] of ["corrected", "deleted", "kept"].entries()) await write(id, 1 + index);
      await write("waiting", undefined);
      await start();
      const [corrected, deleted] = await pending();
      await settleAll();
      const { memories, pendingMemories } = subject.store;
      const before = await get("corrected");
      await memories.writer.replace(
        subject.scope,
        before?.etag ?? "",
        newMemory({ id: "corrected", text: "another", embedding: embeddingOf(1) }, { vector: vectorOf(5) }),
        { now: NOW },
      );
      await memories.writer.delete(subject.scope, "deleted", { now: NOW });
      await write("written", 6);
      const [waiting] = await pendingMemories.pending(ALL);
      if (waiting === undefined) throw new Error("one memory should be pending");
      await pendingMemories.settle([{ ...waiting, outcome: { vector: vectorOf(7), truncated: false } }], {
        identity: source,
        now: NOW,
      });
      // A vector that was requested before the correction is of the old text.
      for (const one of [corrected, deleted]) {
        expect(await settle(one, { vector: vectorOf(NEW + 9), truncated: false })).toBe(0);
      }
      expect(await cutOver()).toBe(false);
      expect((await pending()).map(({ id }) => id).sort()).toEqual(["corrected", "waiting", "written"]);
      await settleAll();
      expect(await cutOver()).toBe(true);
      for (const id of ["corrected", "kept", "waiting", "written"]) {
        expect((await get(id))?.embedding).toMatchObject({ model: TARGET.model, state: "READY" });
      }
      expect(await vectors(["deleted"])).toEqual([undefined]);
      expect((await get("corrected"))?.text).toBe("another");
    });

    it("settles nothing for another model, and nothing when none runs", async () => {
      await write("a", 1);
      const [early] = await pending();
      expect(early).toBeUndefined();
      await start();
      const [one] = await pending();
      const outcome = { vector: vectorOf(NEW), truncated: false };
      expect(await settle(one, outcome, source)).toBe(0);
      expect(await settle(one, outcome)).toBe(1);
      expect(await settle(one, outcome)).toBe(0);
    });

    it("lets wait after the change who is refused, put off, or left over", async () => {
      for (const [index, id] of ["late", "left", "refused"].entries()) await write(id, 1 + index);
      await start();
      const [late, , refused] = await pending();
      await settle(refused, { refusal: "400 (bad)" });
      if (late === undefined) throw new Error("three should be left");
      await subject.store.reembedding.work.postpone([{ ...late, dueTime: NOW + 1e6 }]);
      expect((await pending()).map(({ id }) => id)).toEqual(["left"]);
      expect(await cutOver(0)).toBe(false);
      expect(await cutOver(1)).toBe(true);
      const states = await Promise.all(
        ["late", "left", "refused"].map(async (id) => (await get(id))?.embedding),
      );
      expect(states.map((embedding) => [embedding?.model, embedding?.state])).toEqual([
        [TARGET.model, "PENDING"],
        [TARGET.model, "PENDING"],
        [TARGET.model, "REFUSED"],
      ]);
      expect(states.map((embedding) => embedding?.refusal)).toEqual([undefined, undefined, "400 (bad)"]);
      expect(await vectors(["late", "left", "refused"])).toEqual([undefined, undefined, undefined]);
      const stillPending = await subject.store.pendingMemories.pending({ ...ALL, now: NOW + 1 });
      expect(stillPending.map(({ id }) => id).sort()).toEqual(["late", "left"]);
    });

    it("changes nothing when it fails, and reports the reason", async () => {
      await write("a", 1);
      await start();
      await settleAll();
      await subject.store.reembedding.fail("unknown model", NOW + 2);
      expect(await subject.store.reembedding.latest()).toMatchObject({
        state: "FAILED",
        failure: "unknown model",
        endTime: NOW + 2,
        remainingCount: 0,
      });
      expect([await pending(), await cutOver(1000)]).toEqual([[], false]);
      expect(await vectors(["a"])).toEqual([vectorOf(1)]);
      await subject.reopen();
      expect(subject.store.reembedding.identity()).toEqual(source);
      expect(await nearest(1)).toEqual(["a"]);
    });

    it("is one at a time: the same again is the same, another is refused until nothing is left of the last", async () => {
      const request = { key: "k", bodyHash: "h", expireTime: NOW + DAY };
      await write("a", 1);
      expect(await reasonOf(start(source))).toBe("REEMBEDDING_CONFLICT");
      await start(TARGET, "r1", request);
      expect((await start(TARGET, "r2")).id).toBe("r1");
      const third = { ...TARGET, model: "a third" };
      expect(await reasonOf(start(third, "r2"))).toBe("REEMBEDDING_CONFLICT");
      await settleAll();
      await cutOver();
      expect(await start(TARGET, "r2", request)).toMatchObject({ id: "r1", state: "DONE" });
      const reused = { ...request, bodyHash: "another" };
      expect(await reasonOf(start(third, "r2", reused))).toBe("REQUEST_ID_REUSED");
      await cleanUp();
      expect(await subject.store.reembedding.cleanUp()).toBe(false);
      expect(await start(third, "r3")).toMatchObject({ id: "r3", source: TARGET, memoryCount: 1 });
    });
  });
}
