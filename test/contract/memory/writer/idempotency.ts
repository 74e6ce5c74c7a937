import { describe, expect, it } from "vitest";
import { RecollectError } from "../../../../src/domain/errors.ts";
import type { CreateOutcome, NewMemory } from "../../../../src/ports/memory/writer.ts";
import { idempotentRequest, memory, NOW, newMemory } from "../../../support/builders.ts";
import { lookAlikeNamespaceKeys, reasonOf, vectorOf } from "../../store-under-test.ts";
import { idsOf, listAll, type MemorySubject, memoryOf, search, storedIds, told, write } from "../support.ts";

/** Requests that come again: they find what became of the first, and change nothing. */
export function idempotencyCases(subject: MemorySubject): void {
  const request = idempotentRequest();
  /** A client's retry: the same text, under the new id that the server makes each time. */
  const attempt = (id: string, given: Parameters<typeof newMemory>[0] = {}) =>
    newMemory({ id, text: "the same", ...given }, { onDuplicate: "ALLOW" });
  const create = (items: Parameters<typeof subject.store.writer.create>[1], now = NOW, asked = request) =>
    subject.store.writer.create(subject.scope, items, { now, request: asked });

  describe("to create", () => {
    it("answer alike and store once", async () => {
      const first = await create([attempt("a1"), attempt("a2")]);
      expect(first.map(told)).toEqual(["created a1", "created a2"]);
      const second = await create([attempt("b1"), attempt("b2")], NOW + 1);
      expect(second).toEqual(first);
      expect(await storedIds(subject)).toEqual(["a1", "a2"]);
    });

    it("leave indexes and session positions alone", async () => {
      const session = { sessionId: "s" };
      await create([attempt("a", session)]);
      await create([attempt("b", session)]);
      const { byKeyword: containing, corpus } = await search(subject, { terms: ["same"] });
      expect([idsOf(containing), corpus.documentCount]).toEqual([["a"], 1]);
      const [next] = await write(subject, attempt("c", session));
      expect(memoryOf(next).sessionPosition).toBe(2);
    });

    it("answer alike to ten at the same time", async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, (_, index) => create([attempt(`m${index}`), attempt(`n${index}`)])),
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

    it("tell created from duplicate as the first did", async () => {
      const existing = memory({ id: "existing", text: "the same" });
      await write(subject, newMemory(existing));
      const once = newMemory({ id: "a", text: "the same" }, { onDuplicate: "RETURN_EXISTING" });
      const items = [once, newMemory({ id: "b" })];
      const first = await create(items);
      expect(first.map(told)).toEqual(["duplicate existing", "created b"]);
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
      expect(first.map(told)).toEqual([
        "refused REQUEST_INVALID",
        "created a",
        "refused MEMORY_ALREADY_EXISTS",
        "refused MEMORY_DUPLICATE",
      ]);
      // What stood in the way is gone, but the request has had its answer.
      await subject.store.writer.delete(subject.scope, "taken", { now: NOW });
      await subject.store.writer.delete(subject.scope, "there", { now: NOW });
      const second = await create(items);
      expect(second.map(told)).toEqual(first.map(told));
      expect(second.map(detailOf)).toEqual(first.map(detailOf));
      expect(await storedIds(subject)).toEqual(["a"]);
    });

    it("say nothing of the cause of a refusal, which may hold anything", async () => {
      const cause = new Error("of the network", { cause: { circular: subject } });
      await create([{ refusal: new RecollectError("EMBEDDER_UNAVAILABLE", "no answer", { cause }) }]);
      const [again] = await create([attempt("a")]);
      expect(again === undefined ? "" : told(again)).toBe("refused EMBEDDER_UNAVAILABLE");
      expect(again === undefined ? undefined : detailOf(again)).toEqual({});
    });

    it("refuse with MEMORY_NOT_FOUND what was deleted since", async () => {
      await write(subject, newMemory({ id: "existing", text: "the same" }));
      const items = [
        newMemory({ id: "a" }),
        newMemory({ id: "b" }),
        newMemory({ id: "c", text: "the same" }, { onDuplicate: "RETURN_EXISTING" }),
      ];
      const first = await create(items);
      expect(first.map(told)).toEqual(["created a", "created b", "duplicate existing"]);
      await subject.store.writer.delete(subject.scope, "a", { now: NOW });
      await subject.store.writer.delete(subject.scope, "existing", { now: NOW });
      const second = await create(items);
      expect(second.map(told)).toEqual(["refused MEMORY_NOT_FOUND", "created b", "refused MEMORY_NOT_FOUND"]);
      expect(await storedIds(subject)).toEqual(["b"]);
    });

    it("refuse with MEMORY_NOT_FOUND what has expired since", async () => {
      const items = [newMemory({ expireTime: NOW + 10 })];
      expect((await create(items)).map(told)).toEqual(["created m1"]);
      expect((await create(items, NOW + 9)).map(told)).toEqual(["created m1"]);
      expect((await create(items, NOW + 10)).map(told)).toEqual(["refused MEMORY_NOT_FOUND"]);
    });

    it("answer nothing again to a request without items", async () => {
      expect(await create([])).toEqual([]);
      expect(await create([attempt("a")])).toEqual([]);
      expect(await storedIds(subject)).toEqual([]);
    });

    it("reject with REQUEST_ID_REUSED another body, and change nothing", async () => {
      const first = await create([attempt("a")]);
      const other = { ...request, bodyHash: "another" };
      expect(await reasonOf(create([attempt("b"), attempt("c")], NOW, other))).toBe("REQUEST_ID_REUSED");
      expect(await storedIds(subject)).toEqual(["a"]);
      expect(await create([attempt("d")])).toEqual(first);
    });

    it("lets one of two bodies through that come at the same time", async () => {
      const reasons = await Promise.all([
        reasonOf(create([attempt("a")])),
        reasonOf(create([attempt("b")], NOW, { ...request, bodyHash: "another" })),
      ]);
      expect(reasons.toSorted()).toEqual(["REQUEST_ID_REUSED", undefined]);
      expect(await storedIds(subject)).toEqual([reasons[0] === undefined ? "a" : "b"]);
    });

    it("are known until their expire time, and new from then on", async () => {
      const kept = { ...request, expireTime: NOW + 10 };
      await create([attempt("a")], NOW, kept);
      expect((await create([attempt("b")], NOW + 9, kept)).map(told)).toEqual(["created a"]);
      const later = { ...request, bodyHash: "another", expireTime: NOW + 20 };
      expect(await reasonOf(create([attempt("c")], NOW + 9, later))).toBe("REQUEST_ID_REUSED");
      expect((await create([attempt("d")], NOW + 10, later)).map(told)).toEqual(["created d"]);
      expect((await create([attempt("e")], NOW + 11, later)).map(told)).toEqual(["created d"]);
      expect(await storedIds(subject)).toEqual(["a", "d"]);
    });

    it("are told apart by key, and none without one", async () => {
      await create([attempt("a")]);
      await create([attempt("b")], NOW, { ...request, key: "another" });
      await write(subject, attempt("c"));
      await write(subject, attempt("d"));
      expect(await storedIds(subject)).toEqual(["a", "b", "c", "d"]);
    });

    it("are told apart by namespace and tenant", async () => {
      const { store } = subject;
      for (const scope of lookAlikeNamespaceKeys()) {
        const outcomes = await store.writer.create(scope, [attempt(scope.namespace)], { now: NOW, request });
        expect(outcomes.map(told)).toEqual([`created ${scope.namespace}`]);
      }
    });

    it("are many, each with its own answer", async () => {
      const ids = Array.from({ length: 60 }, (_, index) => `m${index}`);
      const short = (id: string) => ({ ...request, key: id, expireTime: NOW + 10 });
      await Promise.all(ids.map((id) => create([attempt(id)], NOW, short(id))));
      for (const id of ids) {
        expect((await create([attempt(`new ${id}`)], NOW + 9, short(id))).map(told)).toEqual([
          `created ${id}`,
        ]);
      }
      for (const id of ids) await create([attempt(`later ${id}`)], NOW + 10, short(id));
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

    it("answer all of the batch so far, and as a whole afterwards", async () => {
      const refusal = new RecollectError("REQUEST_INVALID", "is wrong");
      await write(subject, newMemory({ id: "taken" }));
      const first = await subject.store.writer.create(
        subject.scope,
        [attempt("a", session), { refusal }, newMemory({ id: "taken", text: "another" })],
        { now: NOW, request, step: { before: [], isLast: false } },
      );
      expect(first.map(told)).toEqual([
        "created a",
        "refused REQUEST_INVALID",
        "refused MEMORY_ALREADY_EXISTS",
      ]);
      const second = await step([attempt("b", session)], first, false);
      expect(second.map(told)).toEqual([...first.map(told), "created b"]);
      const third = await step([attempt("c", session)], second, true);
      expect(third.map(told)).toEqual([...second.map(told), "created c"]);
      expect(third.flatMap((one) => (one.kind === "created" ? [one.memory.sessionPosition] : []))).toEqual([
        1, 2, 3,
      ]);
      expect((await create([attempt("again")])).map(told)).toEqual(third.map(told));
      expect(await storedIds(subject)).toEqual(["a", "b", "c", "taken"]);
    });

    it("go on, after a crash between two of them, with the first that is not done", async () => {
      await step([attempt("a")], [], false);
      await subject.reopen();
      const again = await step([attempt("a2")], [], false);
      expect(again.map(told)).toEqual(["created a"]);
      const whole = await step([attempt("b")], again, true);
      expect(whole.map(told)).toEqual(["created a", "created b"]);
      expect(await storedIds(subject)).toEqual(["a", "b"]);
    });

    it("do no step twice for a repeat that cuts the batch elsewhere", async () => {
      const first = await step([attempt("a"), attempt("b")], [], false);
      // Of another version, maybe: it writes one at a time.
      const found = await step([attempt("x")], [], false);
      expect(found).toEqual(first);
      expect((await step([attempt("c")], found, true)).map(told)).toEqual([
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
          sofar = await step([attempt(`${id}${who}`)], sofar, sofar.length === ids.length - 1);
        }
        return sofar;
      };
      const all = await Promise.all(Array.from({ length: 10 }, (_, who) => writeAll(who)));
      for (const outcomes of all) expect(outcomes.map(told)).toEqual(all[0]?.map(told));
      const stored = await storedIds(subject);
      expect(stored.map((id) => id[0])).toEqual(ids);
    });

    it("refuse with MEMORY_NOT_FOUND what was deleted between two of them, to a repeat", async () => {
      const first = await step([attempt("a")], [], false);
      await subject.store.writer.delete(subject.scope, "a", { now: NOW });
      expect((await step([attempt("b")], first, true)).map(told)).toEqual(["created a", "created b"]);
      expect((await step([attempt("a2")], [], false)).map(told)).toEqual([
        "refused MEMORY_NOT_FOUND",
        "created b",
      ]);
    });

    it("reject with REQUEST_ID_REUSED another body between two of them", async () => {
      const first = await step([attempt("a")], [], false);
      const other = { ...request, bodyHash: "another" };
      expect(await reasonOf(step([attempt("x")], [], true, other))).toBe("REQUEST_ID_REUSED");
      expect((await step([attempt("b")], first, true)).map(told)).toEqual(["created a", "created b"]);
    });

    it("write on, and keep a record of all, where the record has expired between two of them", async () => {
      const short = { ...request, expireTime: NOW + 10 };
      const first = await step([attempt("a")], [], false, short);
      const later = { now: NOW + 10, request: { ...request, expireTime: NOW + 20 } };
      const whole = await subject.store.writer.create(subject.scope, [attempt("b")], {
        ...later,
        step: { before: first, isLast: true },
      });
      expect(whole.map(told)).toEqual(["created a", "created b"]);
      const again = await subject.store.writer.create(subject.scope, [attempt("c")], later);
      expect(again.map(told)).toEqual(["created a", "created b"]);
    });

    it("leave nothing behind them without a request", async () => {
      const { store, scope } = subject;
      const first = await store.writer.create(scope, [attempt("a")], {
        now: NOW,
        step: { before: [], isLast: false },
      });
      const second = await store.writer.create(scope, [attempt("b")], {
        now: NOW,
        step: { before: first, isLast: true },
      });
      expect(second.map(told)).toEqual(["created a", "created b"]);
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

    it("are not known when they were rejected", async () => {
      expect(await reasonOf(remove("m1"))).toBe("MEMORY_NOT_FOUND");
      await write(subject, newMemory());
      expect(await reasonOf(remove("m1", { etag: "another" }))).toBe("ETAG_MISMATCH");
      expect(await storedIds(subject)).toEqual(["m1"]);
      expect(await reasonOf(remove("m1", {}, { ...request, bodyHash: "another" }))).toBeUndefined();
      expect(await storedIds(subject)).toEqual([]);
    });

    it("are new from their expire time on", async () => {
      const kept = { ...request, expireTime: NOW + 10 };
      await write(subject, newMemory());
      await remove("m1", {}, kept);
      expect(await reasonOf(remove("m1", {}, kept, NOW + 9))).toBeUndefined();
      expect(await reasonOf(remove("m1", {}, kept, NOW + 10))).toBe("MEMORY_NOT_FOUND");
    });

    it("are told apart by namespace and tenant", async () => {
      const { store } = subject;
      for (const scope of lookAlikeNamespaceKeys()) {
        await store.writer.create(scope, [newMemory()], { now: NOW });
        await store.writer.delete(scope, "m1", { now: NOW, request });
        expect(await listAll(store, scope)).toEqual([]);
      }
    });
  });
}

/** What a caller may see of a refusal beside its reason. */
function detailOf(outcome: CreateOutcome): object {
  if (outcome.kind !== "refused") return {};
  const { cause: _cause, ...detail } = outcome.error.detail;
  return detail;
}
