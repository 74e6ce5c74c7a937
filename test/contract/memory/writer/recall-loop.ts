import { expect, it } from "vitest";
import type { Memory, StoredMemory } from "../../../../src/domain/memory/memory.ts";
import { MAX_SAME_TEXTS } from "../../../../src/domain/memory/recall-loop.ts";
import type { CreateOutcome, NewMemory } from "../../../../src/ports/memory/writer.ts";
import { DAY, idempotentRequest, memory, NOW, newMemory } from "../../../support/builders.ts";
import { idsOf, listAll, type MemorySubject, memoryOf, outcomeText, write } from "../support.ts";

/** What was recalled and is stored again is returned, and nothing is written. */
export function recallLoopCases(subject: MemorySubject): void {
  const SINCE = NOW - 1000;
  const first = memory({ id: "first", text: "likes tea", userId: "u", sessionId: "s1", tags: ["a"] });
  const again = (given: Partial<Memory> = {}): NewMemory =>
    newMemory(
      { id: "again", text: "Likes  TEA", userId: "u", sessionId: "s2", ...given },
      { recalledSince: SINCE },
    );
  const recall = (ids: readonly string[], time = NOW): void =>
    subject.store.accessCounts.add(subject.scope, ids, time);
  const idsStored = async (): Promise<string[]> => idsOf(await listAll(subject.store, subject.scope)).sort();
  const summary = ([outcome]: readonly CreateOutcome[]): string =>
    `${outcome === undefined ? "nothing" : outcomeText(outcome)}${
      outcome?.kind === "duplicate" && outcome.recallLoop ? ", recall loop" : ""
    }`;

  it("returns the recalled memory unchanged, and names what differs", async () => {
    await write(subject, newMemory(first));
    recall(["first"]);
    const item = again({
      ...{ kind: "EPISODIC", agentId: "bot", author: "Ann", role: "user", tags: ["b"] },
      ...{ eventTime: NOW - DAY, validFrom: NOW - DAY, validUntil: NOW + DAY, expireTime: NOW + DAY },
    });
    const access = { accessCount: 1, lastAccessTime: NOW };
    const stored: StoredMemory = { ...first, sessionPosition: 1, access };
    expect(await write(subject, item)).toEqual([
      {
        kind: "duplicate",
        memory: stored,
        differs: [
          ...["text", "kind", "agent_id", "session_id", "role", "author", "tags"],
          ...["event_time", "valid_from", "valid_until", "expire_time"],
        ],
        recallLoop: true,
      },
    ]);
    expect(await listAll(subject.store, subject.scope)).toEqual([stored]);
  });

  it("is none without an access within the time, and one from its first millisecond on", async () => {
    await write(subject, newMemory(first));
    expect(summary(await write(subject, again({ id: "x" })))).toBe("created x");
    recall(["first"], SINCE - 1);
    expect(summary(await write(subject, again({ id: "y", sessionId: "s3" })))).toBe("created y");
    recall(["first"], SINCE);
    expect(summary(await write(subject, again({ sessionId: "s4" })))).toBe("duplicate first, recall loop");
    expect(await idsStored()).toEqual(["first", "x", "y"]);
  });

  it("is none of another user, another text or another namespace, nor without the time", async () => {
    await write(subject, newMemory(first));
    recall(["first"]);
    const { recalledSince: _, ...unguarded } = again({ id: "a" });
    const others = [unguarded, again({ id: "b", userId: "U" }), again({ id: "c", text: "likes teas" })];
    expect((await write(subject, ...others)).map(outcomeText)).toEqual([
      "created a",
      "created b",
      "created c",
    ]);
    const elsewhere = { ...subject.scope, namespace: "elsewhere" };
    const outcomes = await subject.store.writer.create(elsewhere, [again()], { now: NOW });
    expect(summary(outcomes)).toBe("created again");
  });

  it("returns the oldest of several that were recalled", async () => {
    const one = newMemory({ ...first, id: "c", createTime: NOW + 2 }, { onDuplicate: "ALLOW" });
    const all = ["a", "b", "d"].map((id) =>
      newMemory({ ...first, id, createTime: NOW + 3 }, { onDuplicate: "ALLOW" }),
    );
    await write(subject, ...all, one);
    recall(["d", "b"]);
    expect(summary(await write(subject, again()))).toBe("duplicate b, recall loop");
    recall(["c"]);
    expect(summary(await write(subject, again()))).toBe("duplicate c, recall loop");
  });

  it("examines a bounded number of memories with the same text, oldest first", async () => {
    const many = Array.from({ length: MAX_SAME_TEXTS + 1 }, (_, at) =>
      newMemory(
        { ...first, id: `m${String(at).padStart(3, "0")}`, kind: "MESSAGE", createTime: NOW + at },
        { onDuplicate: "ALLOW" },
      ),
    );
    await write(subject, ...many);
    recall([`m${MAX_SAME_TEXTS}`]);
    expect(summary(await write(subject, again({ id: "x" })))).toBe("created x");
    // The new one is among the oldest too.
    recall([`m0${MAX_SAME_TEXTS - 2}`]);
    expect(summary(await write(subject, again({ sessionId: "s3" })))).toBe(
      `duplicate m0${MAX_SAME_TEXTS - 2}, recall loop`,
    );
  });

  it("is none of a memory that is deleted, expired or not active", async () => {
    const kept = { onDuplicate: "ALLOW" as const };
    await write(
      subject,
      newMemory({ ...first, id: "deleted" }, kept),
      newMemory({ ...first, id: "expired", expireTime: NOW + 1 }, kept),
      newMemory({ ...first, id: "superseded" }, kept),
      newMemory({ ...first, id: "archived", state: "ARCHIVED" }, kept),
      newMemory({ ...first, id: "quarantined", state: "QUARANTINED" }, kept),
    );
    recall(["deleted", "expired", "superseded", "archived", "quarantined"]);
    await subject.store.writer.delete(subject.scope, "deleted", { now: NOW });
    await write(subject, newMemory({ id: "new", supersedes: ["superseded"] }, kept));
    const outcomes = await subject.store.writer.create(subject.scope, [again()], { now: NOW + 1 });
    expect(summary(outcomes)).toBe("created again");
  });

  it("yields to an id that is taken, and to a duplicate, which is merged", async () => {
    const taken = newMemory({ ...first, id: "taken", sessionId: "other" }, { onDuplicate: "ALLOW" });
    await write(subject, newMemory(first), taken);
    recall(["first"]);
    expect(summary(await write(subject, again({ id: "taken" })))).toBe("refused MEMORY_ALREADY_EXISTS");
    const outcomes = await write(subject, again({ sessionId: "other", tags: ["b"] }));
    expect(summary(outcomes)).toBe("duplicate taken");
    expect(memoryOf(outcomes[0]).tags).toEqual(["a", "b"]);
  });

  it("follows the text of a memory that is corrected, and finds imported ones", async () => {
    await write(subject, newMemory(first));
    const corrected = newMemory({ ...first, text: "likes coffee", updateTime: NOW + 1 });
    await subject.store.writer.replace(subject.scope, first.etag, corrected, { now: NOW });
    recall(["first"]);
    expect(summary(await write(subject, again({ id: "x" })))).toBe("created x");
    expect(summary(await write(subject, again({ text: "likes COFFEE" })))).toBe(
      "duplicate first, recall loop",
    );
    const imported = newMemory({ id: "imported", text: "likes water", userId: "u" });
    await subject.store.importer.import(subject.scope, [imported], { now: NOW });
    recall(["imported"]);
    expect(summary(await write(subject, again({ text: "likes water" })))).toBe(
      "duplicate imported, recall loop",
    );
  });

  it("is decided by what is stored before a batch, and by what the batch has changed", async () => {
    await write(subject, newMemory(first));
    recall(["first"]);
    const duplicate = newMemory({ ...first, id: "x", tags: ["b"] });
    const outcomes = await write(
      subject,
      duplicate,
      again({ id: "y" }),
      again({ id: "z", text: "likes rum" }),
      again({ id: "w", text: "likes rum", sessionId: "s3" }),
    );
    expect(outcomes.map((one) => summary([one]))).toEqual([
      "duplicate first",
      "duplicate first, recall loop",
      "created z",
      "created w",
    ]);
    expect(memoryOf(outcomes[1])).toEqual(memoryOf(outcomes[0]));
    expect(await idsStored()).toEqual(["first", "w", "z"]);
  });

  it("is answered alike to ten retries of its request, also later", async () => {
    await write(subject, newMemory(first));
    recall(["first"]);
    const request = idempotentRequest();
    const outcomes: CreateOutcome[][] = [];
    for (let time = 0; time < 10; time += 1) {
      const item = { ...again({ id: `retry-${time}` }), recalledSince: SINCE + time * DAY };
      outcomes.push(await subject.store.writer.create(subject.scope, [item], { now: NOW, request }));
    }
    expect(outcomes.map(summary)).toEqual(outcomes.map(() => "duplicate first, recall loop"));
    expect(outcomes).toEqual(outcomes.map(() => outcomes[0]));
    expect(await idsStored()).toEqual(["first"]);
  });

  it("is known after a restart, and stores one of many that come at the same time", async () => {
    await write(subject, newMemory(first));
    recall(["first"]);
    await subject.reopen();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        write(subject, again({ id: `again-${at}`, sessionId: `s-${at}` })),
      ),
    );
    expect(outcomes.map(summary)).toEqual(outcomes.map(() => "duplicate first, recall loop"));
    expect(await idsStored()).toEqual(["first"]);
  });
}
