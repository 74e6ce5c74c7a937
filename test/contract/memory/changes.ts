import { describe, expect, it } from "vitest";
import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import type { FeedLimits, FeedPosition, MemoryChange } from "../../../src/domain/memory/changes.ts";
import type { Backend } from "../../../src/ports/backend.ts";
import type { NewMemory } from "../../../src/ports/memory/writer.ts";
import { DAY, idempotentRequest, memory, NOW, newMemory } from "../../support/builders.ts";
import { lookAlikeNamespaceKeys, reasonOf, type StoreUnderTest, useStore } from "../store-under-test.ts";
import { ANY_STATE } from "./support.ts";

type Stores = Pick<Backend, "memories" | "namespaces">;

/** The limits of the stores under test. */
export const SMALL_FEED: FeedLimits = { maxChanges: 20, retentionMs: 7 * DAY };

const BEGINNING: FeedPosition = { incarnation: "", sequence: 0, digest: "" };

/**
 * The contract of ChangeFeed, with the writes that fill it. `open` returns stores with SMALL_FEED; `sweeps`: they remove
 * expired memories, which the reference does not.
 */
export function changeFeedContract(
  name: string,
  open: () => Promise<StoreUnderTest<Stores>>,
  { sweeps = true }: { readonly sweeps?: boolean } = {},
): void {
  describe(`ChangeFeed, ${name}`, () => {
    const subject = useStore(open);
    const feed = () => subject.store.memories.changes;
    const create = (items: readonly NewMemory[], { now = NOW, at = subject.scope } = {}) =>
      subject.store.memories.writer.create(at, items, { now });
    const fill = async (count: number, { now = NOW, first = 0 } = {}): Promise<void> => {
      const items = Array.from({ length: count }, (_, at) => newMemory({ id: `m${first + at}` }));
      await create(items, { now });
    };
    const read = async (after = BEGINNING, limit = 100, at = subject.scope) => {
      const found = await feed().read(at, after, limit);
      if (found.kind === "lost") throw new Error(`lost: ${found.cause}`);
      return found;
    };
    const lossAt = async (after: FeedPosition): Promise<string | undefined> => {
      const found = await feed().read(subject.scope, after, 1);
      return found.kind === "lost" ? found.cause : undefined;
    };
    const shown = ({ kind, memoryId }: MemoryChange): string => `${kind} ${memoryId}`;
    const all = async (at?: NamespaceKey): Promise<string[]> =>
      (await read(BEGINNING, 100, at)).changes.map(shown);

    describe("a write", () => {
      it("appends a change a memory, in its order", async () => {
        const { writer, importer } = subject.store.memories;
        const [one, two] = [memory({ id: "one" }), memory({ id: "two", createTime: NOW + 1 })];
        await create([newMemory(one), newMemory(two)]);
        const tagged = { ...one, id: "other", tags: ["t"] };
        await create(
          [newMemory(tagged, { onDuplicate: "RETURN_EXISTING", duplicateKey: newMemory(one).duplicateKey })],
          {
            now: NOW + 2,
          },
        );
        const next = memory({ ...two, text: "corrected", etag: "e2" });
        await writer.replace(subject.scope, two.etag, newMemory(next), { now: NOW + 3 });
        const restored = memory({ ...two, etag: "e3" });
        await writer.replace(subject.scope, "e2", newMemory(restored), { now: NOW + 4, change: "RESTORED" });
        await create([newMemory({ id: "new", supersedes: ["two", "one"] }, { onDuplicate: "ALLOW" })], {
          now: NOW + 5,
        });
        await importer.import(subject.scope, [newMemory({ id: "imported" })], { now: NOW + 6 });
        await writer.delete(subject.scope, "imported", { now: NOW + 7 });
        const { changes } = await read();
        expect(changes.map(shown)).toEqual([
          ...["CREATED one", "CREATED two", "UPDATED one", "UPDATED two", "RESTORED two"],
          ...["CREATED new", "SUPERSEDED two", "SUPERSEDED one", "CREATED imported", "DELETED imported"],
        ]);
        expect(changes.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        expect(changes.map(({ time }) => time - NOW)).toEqual([0, 0, 2, 3, 4, 5, 5, 5, 6, 7]);
      });

      it("that purges appends each deleted memory", async () => {
        await fill(5);
        await create([newMemory({ id: "stays", userId: "u" })]);
        await subject.store.memories.purge.run(subject.scope, { ...ANY_STATE, userId: "" }, { now: NOW });
        const deleted = (await all()).slice(6);
        expect(deleted.sort()).toEqual(["m0", "m1", "m2", "m3", "m4"].map((id) => `DELETED ${id}`));
      });

      it("that changes nothing appends nothing", async () => {
        const { writer, importer } = subject.store.memories;
        const one = memory({ id: "one" });
        const request = idempotentRequest();
        await writer.create(subject.scope, [newMemory(one)], { now: NOW, request });
        await writer.create(subject.scope, [newMemory(one)], { now: NOW, request });
        // An existing id, the same text without anything new, and a duplicate that is refused.
        await create([newMemory(one)]);
        const twin = { duplicateKey: newMemory(one).duplicateKey };
        await create([newMemory({ ...one, id: "twin" }, { ...twin, onDuplicate: "RETURN_EXISTING" })]);
        await create([newMemory({ ...one, id: "twin" }, { ...twin, onDuplicate: "REFUSE" })]);
        await create([newMemory({ id: "new", supersedes: ["missing"] }, { onDuplicate: "ALLOW" })]);
        await importer.import(subject.scope, [newMemory(one)], { now: NOW });
        const stale = writer.replace(subject.scope, "stale", newMemory(one), { now: NOW });
        expect(await reasonOf(stale)).toBe("ETAG_MISMATCH");
        const missing = writer.delete(subject.scope, "missing", { now: NOW });
        expect(await reasonOf(missing)).toBe("MEMORY_NOT_FOUND");
        await subject.store.memories.purge.run(subject.scope, { ...ANY_STATE, userId: "x" }, { now: NOW });
        expect(await all()).toEqual(["CREATED one"]);
      });

      it("appends each change once, without gaps, also when many write at once", async () => {
        await Promise.all(Array.from({ length: 20 }, (_, at) => create([newMemory({ id: `m${at}` })])));
        const { changes } = await read();
        expect(changes.map(({ sequence }) => sequence)).toEqual(
          Array.from({ length: 20 }, (_, at) => at + 1),
        );
        expect(new Set(changes.map(shown)).size).toBe(20);
      });

      it("appends to the feed of its own namespace only", async () => {
        const scopes = lookAlikeNamespaceKeys();
        for (const [at, scope] of scopes.entries())
          await create([newMemory({ id: `m${at}` })], { at: scope });
        for (const [at, scope] of scopes.entries()) expect(await all(scope)).toEqual([`CREATED m${at}`]);
      });
    });

    describe("the removal of an expired memory", () => {
      it.runIf(sweeps)("is a change, some time after a write", async () => {
        await create([newMemory({ id: "ends", expireTime: NOW + 1000 })]);
        const { position } = await read();
        await create([newMemory({ id: "later" })], { now: NOW + 2000 });
        let found = await read(position);
        while (found.changes.length < 2) {
          await feed().wait(subject.scope, found.position, new AbortController().signal);
          found = await read(position);
        }
        expect(found.changes.map(shown).sort()).toEqual(["CREATED later", "EXPIRED ends"]);
      });

      it("comes before the change of a memory that takes its id", async () => {
        await create([newMemory({ id: "m", expireTime: NOW + 1000 })]);
        await create([newMemory({ id: "m", text: "another" })], { now: NOW + 2000 });
        expect(await all()).toEqual(["CREATED m", "EXPIRED m", "CREATED m"]);
      });
    });

    describe("a position", () => {
      it("continues behind the last change that was read", async () => {
        await fill(5);
        const first = await read(BEGINNING, 2);
        expect(first.changes.map(shown)).toEqual(["CREATED m0", "CREATED m1"]);
        const second = await read(first.position, 2);
        expect(second.changes.map(shown)).toEqual(["CREATED m2", "CREATED m3"]);
        const last = await read(second.position, 2);
        expect(last.changes.map(shown)).toEqual(["CREATED m4"]);
        expect((await read(last.position)).changes).toEqual([]);
        expect(last.position).toEqual(await feed().end(subject.scope));
      });

      it("at the end gives later changes only, over a restart of the store", async () => {
        await fill(3);
        const end = await feed().end(subject.scope);
        await subject.reopen();
        await fill(1, { first: 10 });
        expect((await read(end)).changes.map(shown)).toEqual(["CREATED m10"]);
      });

      it("in a namespace that does not exist gives all its changes once it does", async () => {
        const end = await feed().end(subject.scope);
        expect(await read(end)).toEqual({ kind: "changes", changes: [], position: end });
        await fill(1);
        expect((await read(end)).changes.map(shown)).toEqual(["CREATED m0"]);
      });

      it("in a namespace without changes gives its first ones", async () => {
        await create([newMemory({ id: "old" })]);
        await subject.store.memories.writer.delete(subject.scope, "old", { now: NOW });
        const { position } = await read();
        await fill(1);
        expect((await read(position)).changes.map(shown)).toEqual(["CREATED m0"]);
      });

      it("is lost when its namespace was deleted, also when it was created again", async () => {
        await fill(1);
        const { position } = await read();
        await subject.store.namespaces.delete(subject.scope, { now: NOW });
        expect(await lossAt(position)).toBe("namespace_deleted");
        await fill(1);
        expect(await lossAt(position)).toBe("namespace_deleted");
        expect(await all()).toEqual(["CREATED m0"]);
      });

      it("is lost when the store has another change there, or none yet", async () => {
        await fill(3);
        const { position } = await read(BEGINNING, 2);
        expect(await lossAt({ ...position, digest: "0123456789abcdef" })).toBe("store_replaced");
        expect(await lossAt({ ...position, sequence: 4 })).toBe("store_replaced");
        expect(await lossAt({ ...position, sequence: 1 })).toBe("store_replaced");
        expect(await lossAt(position)).toBeUndefined();
      });
    });

    describe("the limit of changes", () => {
      it("keeps exactly as many as it says", async () => {
        await fill(1);
        const { position } = await read();
        await fill(SMALL_FEED.maxChanges - 1, { first: 1 });
        expect(await all()).toHaveLength(SMALL_FEED.maxChanges);
        await fill(1, { first: 100 });
        expect(await lossAt(BEGINNING)).toBe("trimmed");
        expect((await read(position)).changes).toHaveLength(SMALL_FEED.maxChanges);
        await fill(1, { first: 101 });
        expect(await lossAt(position)).toBe("trimmed");
      });

      it("holds for a batch that is larger", async () => {
        await fill(1);
        const { position } = await read();
        await fill(SMALL_FEED.maxChanges + 7, { first: 1 });
        expect(await lossAt(position)).toBe("trimmed");
        const { sequence } = await feed().end(subject.scope);
        expect(sequence).toBe(SMALL_FEED.maxChanges + 8);
        await fill(1, { first: 100 });
        expect((await read(await feed().end(subject.scope))).changes).toEqual([]);
      });
    });

    describe("the retention", () => {
      const LATER = NOW + SMALL_FEED.retentionMs;

      it("ends with a write after it, and not before", async () => {
        await fill(3);
        const { position } = await read(BEGINNING, 1);
        await fill(1, { first: 10, now: LATER - 1 });
        expect((await read(position)).changes).toHaveLength(3);
        await fill(1, { first: 11, now: LATER });
        expect(await lossAt(position)).toBe("trimmed");
        expect(await lossAt(BEGINNING)).toBe("trimmed");
      });

      it("loses nothing for a watcher that has seen everything", async () => {
        await fill(3);
        const { position } = await read();
        await fill(1, { first: 10, now: LATER + DAY });
        expect((await read(position)).changes.map(shown)).toEqual(["CREATED m10"]);
      });
    });

    describe("a wait", () => {
      const wait = async (after: FeedPosition, signal = new AbortController().signal) =>
        feed().wait(subject.scope, after, signal);

      it("ends when there are changes", async () => {
        await fill(1);
        const { position } = await read();
        const waited = wait(position);
        await fill(1, { first: 1 });
        await waited;
        expect((await read(position)).changes.map(shown)).toEqual(["CREATED m1"]);
      });

      it("ends at once when there are changes already", async () => {
        await fill(1);
        await wait(BEGINNING);
        expect(await all()).toEqual(["CREATED m0"]);
      });

      it("ends when the namespace comes to exist, and when it is deleted", async () => {
        const created = wait(BEGINNING);
        await fill(1);
        await created;
        const { position } = await read();
        const deleted = wait(position);
        await subject.store.namespaces.delete(subject.scope, { now: NOW });
        await deleted;
        expect(await lossAt(position)).toBe("namespace_deleted");
      });

      it("ends when its signal aborts", async () => {
        const { position } = await read();
        const abort = new AbortController();
        const waited = wait(position, abort.signal);
        abort.abort();
        await waited;
        await wait(position, AbortSignal.abort());
        expect((await read(position)).changes).toEqual([]);
      });

      it("of many callers ends for all of them", async () => {
        await fill(1);
        const { position } = await read();
        const waits = Array.from({ length: 30 }, () => wait(position));
        await fill(1, { first: 1 });
        expect(await Promise.all(waits)).toHaveLength(30);
      });
    });
  });
}
