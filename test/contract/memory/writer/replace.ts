import { expect, it } from "vitest";
import type { IdempotentRequest } from "../../../../src/ports/idempotency.ts";
import type { Replacement } from "../../../../src/ports/memory/writer.ts";
import { idempotentRequest, NOW, newMemory } from "../../../support/builders.ts";
import { freshNamespaceKey, reasonOf, vectorOf } from "../../store-under-test.ts";
import { idsOf, type MemorySubject, memoryOf, search, storedIds, withWords, write } from "../support.ts";

/** replace and replayReplace. */
export function replaceCases(subject: MemorySubject): void {
  /** A later state of a memory, with an etag of its own. */
  const later = (id: string, text: string, etag: string, seed: number): Replacement => {
    const { onDuplicate: _onDuplicate, ...item } = newMemory(
      { id, text, etag, sessionId: "s", updateTime: NOW + 1 },
      { terms: text.split(" "), vector: vectorOf(seed) },
    );
    return item;
  };
  const stored = async (id: string): Promise<{ etag: string }> => {
    const [memory] = await subject.store.reader.get(subject.scope, [id], NOW);
    if (memory === undefined) throw new Error(`no memory ${id}`);
    return memory;
  };

  it("replaces the old state in reads and in both retrievers of a search", async () => {
    await write(subject, withWords("a", "before", 1), withWords("b", "other", 2));
    const { etag } = await stored("a");
    const result = await subject.store.writer.replace(subject.scope, etag, later("a", "after", "e2", 3), {
      now: NOW,
    });
    expect(result).toMatchObject({ id: "a", text: "after", etag: "e2", sessionPosition: 1 });
    expect(await stored("a")).toEqual(result);
    expect(await storedIds(subject)).toEqual(["a", "b"]);
    const old = await search(subject, { terms: ["before"], vector: vectorOf(1), limit: 1 });
    expect(idsOf(old.byKeyword)).toEqual([]);
    const found = await search(subject, { terms: ["after"], vector: vectorOf(3), limit: 1 });
    expect([idsOf(found.byKeyword), idsOf(found.byVector)]).toEqual([["a"], ["a"]]);
    expect(found.corpus.documentCount).toBe(2);
    const [next] = await write(subject, withWords("c", "third", 4));
    expect(memoryOf(next).sessionPosition).toBe(3);
  });

  it("is refused for a state that is no longer there, and changes nothing", async () => {
    await write(subject, withWords("a", "before", 1));
    const replace = subject.store.writer.replace(subject.scope, "not this", later("a", "after", "e2", 3), {
      now: NOW,
    });
    expect(await reasonOf(replace)).toBe("ETAG_MISMATCH");
    expect(await stored("a")).toMatchObject({ text: "before" });
  });

  it("is refused where there is nothing, or only an expired memory", async () => {
    await write(subject, withWords("expired", "short", 1, { expireTime: NOW + 1 }));
    const { etag } = await stored("expired");
    const replace = (id: string, now: number): Promise<unknown> =>
      subject.store.writer.replace(subject.scope, etag, later(id, "after", "e2", 3), { now });
    expect(await reasonOf(replace("missing", NOW))).toBe("MEMORY_NOT_FOUND");
    expect(await reasonOf(replace("expired", NOW + 1))).toBe("MEMORY_NOT_FOUND");
    const elsewhere = subject.store.writer.replace(
      freshNamespaceKey(),
      etag,
      later("expired", "after", "e2", 3),
      {
        now: NOW,
      },
    );
    expect(await reasonOf(elsewhere)).toBe("MEMORY_NOT_FOUND");
  });

  it("succeeds for exactly one of many with the same etag", async () => {
    await write(subject, withWords("a", "before", 1));
    const { etag } = await stored("a");
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) =>
        subject.store.writer.replace(subject.scope, etag, later("a", `after ${index}`, `e${index}`, 3), {
          now: NOW,
        }),
      ),
    );
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  it("replays its response when it is retried", async () => {
    await write(subject, withWords("a", "before", 1));
    const { etag } = await stored("a");
    const request = idempotentRequest();
    const replace = (): Promise<unknown> =>
      subject.store.writer.replace(subject.scope, etag, later("a", "after", "e2", 3), {
        now: NOW,
        request,
      });
    const first = await replace();
    expect(await Promise.all([replace(), replace()])).toEqual([first, first]);
    const other = subject.store.writer.replace(subject.scope, "e2", later("a", "again", "e3", 4), {
      now: NOW,
      request: { ...request, bodyHash: "another" },
    });
    expect(await reasonOf(other)).toBe("REQUEST_ID_REUSED");
  });

  it("is replayed by its request, with the memory as it now is, as long as there is one", async () => {
    const replayed = (given: Partial<IdempotentRequest> = {}, id = "a") =>
      subject.store.writer.replayReplace(subject.scope, id, {
        now: NOW,
        request: idempotentRequest(given),
      });
    expect(await reasonOf(replayed())).toBe("MEMORY_NOT_FOUND");
    await write(subject, withWords("a", "before", 1));
    expect(await replayed()).toBeUndefined();
    const { etag } = await stored("a");
    const request = idempotentRequest();
    await subject.store.writer.replace(subject.scope, etag, later("a", "after", "e2", 3), {
      now: NOW,
      request,
    });
    await subject.store.writer.replace(subject.scope, "e2", later("a", "last", "e3", 4), { now: NOW });
    await subject.reopen();
    expect(await replayed()).toMatchObject({ id: "a", text: "last", etag: "e3" });
    expect(await replayed({ key: "another" })).toBeUndefined();
    expect(await reasonOf(replayed({ bodyHash: "another" }))).toBe("REQUEST_ID_REUSED");
    await subject.store.writer.delete(subject.scope, "a", { now: NOW });
    expect(await reasonOf(replayed())).toBe("MEMORY_NOT_FOUND");
  });
}
