import { describe, expect, it } from "vitest";
import { RecollectError } from "../../../../src/domain/errors.ts";
import type { CreateOutcome, NewMemory } from "../../../../src/ports/memory/writer.ts";
import { idempotentRequest, memory, NOW, newMemory } from "../../../support/builders.ts";
import { lookAlikeNamespaceKeys, reasonOf, vectorOf } from "../../store-under-test.ts";
import {
  idsOf,
  listAll,
  type MemorySubject,
  memoryOf,
  outcomeText,
  search,
  storedIds,
  write,
} from "../support.ts";

/** Retried requests: they replay the outcome of the first, and change nothing. */
export function idempotencyCases(subject: MemorySubject): void {
  const request = idempotentRequest();
  /** A client's retry: the same text, under the new id that the server makes each time. */
  const item = (id: string, given: Parameters<typeof newMemory>[0] = {}) =>
    newMemory({ id, text: "the same", ...given }, { onDuplicate: "ALLOW" });
  const create = (items: Parameters<typeof subject.store.writer.create>[1], now = NOW, asked = request) =>
    subject.store.writer.create(subject.scope, items, { now, request: asked });

  describe("to create", () => {
    it("answer alike and store once", async () => {
      const first = await create([item("a1"), item("a2")]);
      expect(first.map(outcomeText)).toEqual(["created a1", "created a2"]);
      const second = await create([item("b1"), item("b2")], NOW + 1);
      expect(second).toEqual(first);
      expect(await storedIds(subject)).toEqual(["a1", "a2"]);
    });

    it("leave indexes and session positions alone", async () => {
      const session = { sessionId: "s" };
      await create([item("a", session)]);
      await create([item("b", session)]);
      const { byKeyword: containing, corpus } = await search(subject, { terms: ["same"] });
      expect([idsOf(containing), corpus.documentCount]).toEqual([["a"], 1]);
      const [next] = await write(subject, item("c", session));
      expect(memoryOf(next).sessionPosition).toBe(2);
    });

    it("answer alike to ten at the same time", async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, (_, index) => create([item(`m${index}`), item(`n${index}`)])),
      );
      const stored = await listAll(subject.store, subject.scope);
      expect(stored).toHaveLength(2);
      const [first] = outcomes;
      expect(
        first
          ?.map(memoryOf)
          .map(({ id }) => id)
          .sort(),
      ).toEqual(idsOf(stored).sort());
      for (const outcome of outcomes) expect(outcome).toEqual(first);
    });

    it("distinguish created from duplicate as the first did", async () => {
      const existing = memory({ id: "existing", text: "the same" });
      await write(subject, newMemory(existing));
      const once = newMemory({ id: "a", text: "the same" }, { onDuplicate: "RETURN_EXISTING" });
      const items = [once, newMemory({ id: "b" })];
      const first = await create(items);
      expect(first.map(outcomeText)).toEqual(["duplicate existing", "created b"]);
      expect(await create(items)).toEqual(first);
    });

    it("bring refusals again, in their places, with reason and details", async () => {
      await write(subject, newMemory({ id: "taken" }), newMemory({ id: "there", text: "the same" }));
      const refusal = new RecollectError("REQUEST_INVALID", "is wrong", {
        metadata: { fields: "memories[0].text" },
        violations: [{ field: "memories[0].text", description: "is wrong" }],
      });
      const items = [
        { refusal },
        newMemory({ id: "a" }),
        newMemory({ id: "taken", text: "another" }),
        newMemory({ id: "b", text: "the same" }, { onDuplicate: "REFUSE" }),
      ];
      const first = await create(items);
      expect(first.map(outcomeText)).toEqual([
        "refused REQUEST_INVALID",
        "created a",
        "refused MEMORY_ALREADY_EXISTS",
        "refused MEMORY_DUPLICATE",
      ]);
      // The conflict was deleted, but the outcome is recorded.
      await subject.store.writer.delete(subject.scope, "taken", { now: NOW });
      await subject.store.writer.delete(subject.scope, "there", { now: NOW });
      const second = await create(items);
      expect(second.map(outcomeText)).toEqual(first.map(outcomeText));
      expect(second.map(detailOf)).toEqual(first.map(detailOf));
      expect(await storedIds(subject)).toEqual(["a"]);
    });

    it("leave out the cause of a refusal, which may hold anything", async () => {
      const cause = new Error("of the network", { cause: { circular: subject } });
      await create([{ refusal: new RecollectError("EMBEDDER_UNAVAILABLE", "no answer", { cause }) }]);
      const [again] = await create([item("a")]);
      expect(again === undefined ? "" : outcomeText(again)).toBe("refused EMBEDDER_UNAVAILABLE");
      expect(again === undefined ? undefined : detailOf(again)).toEqual({});
    });

    it("return MEMORY_NOT_FOUND for memories that were deleted since", async () => {
      await write(subject, newMemory({ id: "existing", text: "the same" }));
      const items = [
        newMemory({ id: "a" }),
        newMemory({ id: "b" }),
        newMemory({ id: "c", text: "the same" }, { onDuplicate: "RETURN_EXISTING" }),
      ];
      const first = await create(items);
      expect(first.map(outcomeText)).toEqual(["created a", "created b", "duplicate existing"]);
      await subject.store.writer.delete(subject.scope, "a", { now: NOW });
      await subject.store.writer.delete(subject.scope, "existing", { now: NOW });
      const second = await create(items);
      expect(second.map(outcomeText)).toEqual([
        "refused MEMORY_NOT_FOUND",
        "created b",
        "refused MEMORY_NOT_FOUND",
      ]);
      expect(await storedIds(subject)).toEqual(["b"]);
    });

    it("return MEMORY_NOT_FOUND for memories that have expired since", async () => {
      const items = [newMemory({ expireTime: NOW + 10 })];
      expect((await create(items)).map(outcomeText)).toEqual(["created m1"]);
      expect((await create(items, NOW + 9)).map(outcomeText)).toEqual(["created m1"]);
      expect((await create(items, NOW + 10)).map(outcomeText)).toEqual(["refused MEMORY_NOT_FOUND"]);
    });

    it("answer nothing again to a request without items", async () => {
      expect(await create([])).toEqual([]);
      expect(await create([item("a")])).toEqual([]);
      expect(await storedIds(subject)).toEqual([]);
    });

    it("reject with REQUEST_ID_REUSED another body, and change nothing", async () => {
      const first = await create([item("a")]);
      const other = { ...request, bodyHash: "another" };
      expect(await reasonOf(create([item("b"), item("c")], NOW, other))).toBe("REQUEST_ID_REUSED");
      expect(await storedIds(subject)).toEqual(["a"]);
      expect(await create([item("d")])).toEqual(first);
    });

    it("accept one of two concurrent bodies", async () => {
      const reasons = await Promise.all([
        reasonOf(create([item("a")])),
        reasonOf(create([item("b")], NOW, { ...request, bodyHash: "another" })),
      ]);
      expect(reasons.toSorted()).toEqual(["REQUEST_ID_REUSED", undefined]);
      expect(await storedIds(subject)).toEqual([reasons[0] === undefined ? "a" : "b"]);
    });

    it("are recorded until their expire time, and new from then on", async () => {
      const shortLived = { ...request, expireTime: NOW + 10 };
      await create([item("a")], NOW, shortLived);
      expect((await create([item("b")], NOW + 9, shortLived)).map(outcomeText)).toEqual(["created a"]);
      const later = { ...request, bodyHash: "another", expireTime: NOW + 20 };
      expect(await reasonOf(create([item("c")], NOW + 9, later))).toBe("REQUEST_ID_REUSED");
      expect((await create([item("d")], NOW + 10, later)).map(outcomeText)).toEqual(["created d"]);
      expect((await create([item("e")], NOW + 11, later)).map(outcomeText)).toEqual(["created d"]);
      expect(await storedIds(subject)).toEqual(["a", "d"]);
    });

    it("differ by key, and are not recorded without one", async () => {
      await create([item("a")]);
      await create([item("b")], NOW, { ...request, key: "another" });
      await write(subject, item("c"));
      await write(subject, item("d"));
      expect(await storedIds(subject)).toEqual(["a", "b", "c", "d"]);
    });

    it("differ by namespace and tenant", async () => {
      const { store } = subject;
      for (const scope of lookAlikeNamespaceKeys()) {
        const outcomes = await store.writer.create(scope, [item(scope.namespace)], { now: NOW, request });
        expect(outcomes.map(outcomeText)).toEqual([`created ${scope.namespace}`]);
      }
    });

    it("are many, each with its own answer", async () => {
      const ids = Array.from({ length: 60 }, (_, index) => `m${index}`);
      const short = (id: string) => ({ ...request, key: id, expireTime: NOW + 10 });
      await Promise.all(ids.map((id) => create([item(id)], NOW, short(id))));
      for (const id of ids) {
        expect((await create([item(`new ${id}`)], NOW + 9, short(id))).map(outcomeText)).toEqual([
          `created ${id}`,
        ]);
      }
      for (const id of ids) await create([item(`later ${id}`)], NOW + 10, short(id));
      expect(await storedIds(subject)).toHaveLength(120);
    });
  });

  describe("to create in steps", () => {
    const step = (
      items: readonly NewMemory[],
      before: readonly CreateOutcome[],
      isLast: boolean,
      asked = request,
    ) =>
      subject.store.writer.create(subject.scope, items, {
        now: NOW,
        request: asked,
        step: { before, isLast },
      });
    const session = { sessionId: "s" };

    it("return the outcomes of the batch so far, and of the whole batch afterwards", async () => {
      const refusal = new RecollectError("REQUEST_INVALID", "is wrong");
      await write(subject, newMemory({ id: "taken" }));
      const first = await subject.store.writer.create(
        subject.scope,
        [item("a", session), { refusal }, newMemory({ id: "taken", text: "another" })],
        { now: NOW, request, step: { before: [], isLast: false } },
      );
      expect(first.map(outcomeText)).toEqual([
        "created a",
        "refused REQUEST_INVALID",
        "refused MEMORY_ALREADY_EXISTS",
      ]);
      const second = await step([item("b", session)], first, false);
      expect(second.map(outcomeText)).toEqual([...first.map(outcomeText), "created b"]);
      const third = await step([item("c", session)], second, true);
      expect(third.map(outcomeText)).toEqual([...second.map(outcomeText), "created c"]);
      expect(third.flatMap((one) => (one.kind === "created" ? [one.memory.sessionPosition] : []))).toEqual([
        1, 2, 3,
      ]);
      expect((await create([item("again")])).map(outcomeText)).toEqual(third.map(outcomeText));
      expect(await storedIds(subject)).toEqual(["a", "b", "c", "taken"]);
    });

    it("go on, after a crash between two of them, with the first that is not done", async () => {
      await step([item("a")], [], false);
      await subject.reopen();
      const again = await step([item("a2")], [], false);
      expect(again.map(outcomeText)).toEqual(["created a"]);
      const whole = await step([item("b")], again, true);
      expect(whole.map(outcomeText)).toEqual(["created a", "created b"]);
      expect(await storedIds(subject)).toEqual(["a", "b"]);
    });

    it("execute no step twice for a retry that splits the batch differently", async () => {
      const first = await step([item("a"), item("b")], [], false);
      // Of another version, maybe: it writes one at a time.
      const found = await step([item("x")], [], false);
      expect(found).toEqual(first);
      expect((await step([item("c")], found, true)).map(outcomeText)).toEqual([
        "created a",
        "created b",
        "created c",
      ]);
      expect(await storedIds(subject)).toEqual(["a", "b", "c"]);
    });

    it("answer alike to ten who write the batch together", async () => {
      const ids = ["a", "b", "c", "d", "e", "f"];
      const writeAll = async (who: number): Promise<CreateOutcome[]> => {
        let sofar: CreateOutcome[] = [];
        while (sofar.length < ids.length) {
          const id = ids[sofar.length];
          sofar = await step([item(`${id}${who}`)], sofar, sofar.length === ids.length - 1);
        }
        return sofar;
      };
      const all = await Promise.all(Array.from({ length: 10 }, (_, who) => writeAll(who)));
      for (const outcomes of all) expect(outcomes.map(outcomeText)).toEqual(all[0]?.map(outcomeText));
      const stored = await storedIds(subject);
      expect(stored.map((id) => id[0])).toEqual(ids);
    });

    it("return MEMORY_NOT_FOUND to a retry for memories that were deleted between two steps", async () => {
      const first = await step([item("a")], [], false);
      await subject.store.writer.delete(subject.scope, "a", { now: NOW });
      expect((await step([item("b")], first, true)).map(outcomeText)).toEqual(["created a", "created b"]);
      expect((await step([item("a2")], [], false)).map(outcomeText)).toEqual([
        "refused MEMORY_NOT_FOUND",
        "created b",
      ]);
    });

    it("reject with REQUEST_ID_REUSED another body between two of them", async () => {
      const first = await step([item("a")], [], false);
      const other = { ...request, bodyHash: "another" };
      expect(await reasonOf(step([item("x")], [], true, other))).toBe("REQUEST_ID_REUSED");
      expect((await step([item("b")], first, true)).map(outcomeText)).toEqual(["created a", "created b"]);
    });

    it("write on, and keep a record of all, where the record has expired between two of them", async () => {
      const short = { ...request, expireTime: NOW + 10 };
      const first = await step([item("a")], [], false, short);
      const later = { now: NOW + 10, request: { ...request, expireTime: NOW + 20 } };
      const whole = await subject.store.writer.create(subject.scope, [item("b")], {
        ...later,
        step: { before: first, isLast: true },
      });
      expect(whole.map(outcomeText)).toEqual(["created a", "created b"]);
      const again = await subject.store.writer.create(subject.scope, [item("c")], later);
      expect(again.map(outcomeText)).toEqual(["created a", "created b"]);
    });

    it("leave nothing behind them without a request", async () => {
      const { store, scope } = subject;
      const first = await store.writer.create(scope, [item("a")], {
        now: NOW,
        step: { before: [], isLast: false },
      });
      const second = await store.writer.create(scope, [item("b")], {
        now: NOW,
        step: { before: first, isLast: true },
      });
      expect(second.map(outcomeText)).toEqual(["created a", "created b"]);
      expect(await storedIds(subject)).toEqual(["a", "b"]);
    });

    it("are small", () => {
      const { bytes, bytesAMemory } = subject.store.writer.stepLimits;
      expect(bytes).toBeGreaterThan(0);
      expect(bytes).toBeLessThanOrEqual(64 * 1024);
      expect(bytesAMemory).toBeGreaterThan(0);
    });
  });

  describe("to delete", () => {
    const remove = (id: string, given: { readonly etag?: string } = {}, asked = request, now = NOW) =>
      subject.store.writer.delete(subject.scope, id, { ...given, now, request: asked });

    it("resolve again", async () => {
      await write(subject, newMemory(), newMemory({ id: "other" }));
      expect(await reasonOf(remove("m1"))).toBeUndefined();
      expect(await reasonOf(remove("m1"))).toBeUndefined();
      expect(await storedIds(subject)).toEqual(["other"]);
    });

    it("resolve ten at the same time", async () => {
      await write(subject, newMemory());
      const reasons = await Promise.all(Array.from({ length: 10 }, () => reasonOf(remove("m1"))));
      expect(reasons).toEqual(Array.from({ length: 10 }, () => undefined));
      expect(await storedIds(subject)).toEqual([]);
    });

    it("leave a memory alone that has taken the id since", async () => {
      await write(subject, newMemory());
      await remove("m1");
      await write(subject, newMemory({ text: "another" }, { vector: vectorOf(1) }));
      expect(await reasonOf(remove("m1"))).toBeUndefined();
      expect(await storedIds(subject)).toEqual(["m1"]);
      expect(idsOf((await search(subject, { vector: vectorOf(1) })).byVector)).toEqual(["m1"]);
    });

    it("reject with REQUEST_ID_REUSED another body, and leave the memory", async () => {
      await write(subject, newMemory(), newMemory({ id: "other" }));
      await remove("m1");
      expect(await reasonOf(remove("other", {}, { ...request, bodyHash: "another" }))).toBe(
        "REQUEST_ID_REUSED",
      );
      expect(await storedIds(subject)).toEqual(["other"]);
    });

    it("are not recorded when they were rejected", async () => {
      expect(await reasonOf(remove("m1"))).toBe("MEMORY_NOT_FOUND");
      await write(subject, newMemory());
      expect(await reasonOf(remove("m1", { etag: "another" }))).toBe("ETAG_MISMATCH");
      expect(await storedIds(subject)).toEqual(["m1"]);
      expect(await reasonOf(remove("m1", {}, { ...request, bodyHash: "another" }))).toBeUndefined();
      expect(await storedIds(subject)).toEqual([]);
    });

    it("are new from their expire time on", async () => {
      const shortLived = { ...request, expireTime: NOW + 10 };
      await write(subject, newMemory());
      await remove("m1", {}, shortLived);
      expect(await reasonOf(remove("m1", {}, shortLived, NOW + 9))).toBeUndefined();
      expect(await reasonOf(remove("m1", {}, shortLived, NOW + 10))).toBe("MEMORY_NOT_FOUND");
    });

    it("differ by namespace and tenant", async () => {
      const { store } = subject;
      for (const scope of lookAlikeNamespaceKeys()) {
        await store.writer.create(scope, [newMemory()], { now: NOW });
        await store.writer.delete(scope, "m1", { now: NOW, request });
        expect(await listAll(store, scope)).toEqual([]);
      }
    });
  });
}

/** The visible fields of a refusal beside its reason. */
function detailOf(outcome: CreateOutcome): object {
  if (outcome.kind !== "refused") return {};
  const { cause: _cause, ...detail } = outcome.error.detail;
  return detail;
}
