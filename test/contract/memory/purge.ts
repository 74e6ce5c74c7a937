import { expect, it } from "vitest";
import { idempotentRequest, NOW } from "../../support/builders.ts";
import { freshNamespaceKey, vectorOf } from "../store-under-test.ts";
import { ANY_STATE, type MemorySubject, search, withWords, write } from "./support.ts";

/** Deleting by filter, and counting what would go. */
export function purgeCases(subject: MemorySubject): void {
  const fill = async (count: number): Promise<void> => {
    const items = Array.from({ length: count }, (_, index) =>
      withWords(`m${index}`, `word${index % 3}`, index, { userId: index % 4 === 0 ? "keep" : "drop" }),
    );
    await write(subject, ...items);
  };
  const filter = { ...ANY_STATE, userId: "drop" };

  it("deletes what passes the filter and nothing else, by both retrievers", async () => {
    await fill(1200);
    expect(await subject.store.reader.count(subject.scope, filter, NOW)).toBe(900);
    expect(await subject.store.purge.run(subject.scope, filter, { now: NOW })).toBe(900);
    expect(await subject.store.reader.count(subject.scope, filter, NOW)).toBe(0);
    expect(await subject.store.reader.count(subject.scope, ANY_STATE, NOW)).toBe(300);
    const { byVector: nearest, corpus } = await search(subject, { vector: vectorOf(1), terms: ["word1"] });
    expect(nearest).toHaveLength(300);
    expect([corpus.documentCount, corpus.documentFrequencies.get("word1")]).toEqual([300, 100]);
  });

  it("replays its response when it is retried, whatever was written since", async () => {
    await fill(20);
    const request = idempotentRequest();
    const purge = (): Promise<number> =>
      subject.store.purge.run(subject.scope, filter, { now: NOW, request });
    expect(await purge()).toBe(15);
    await write(subject, withWords("new", "word", 1, { userId: "drop" }));
    expect(await purge()).toBe(15);
    expect(await subject.store.reader.count(subject.scope, filter, NOW)).toBe(1);
  });

  it("deletes no later memories on a retry, although the namespace was missing or deleted", async () => {
    const purge = (key: string): Promise<number> =>
      subject.store.purge.run(subject.scope, filter, { now: NOW, request: idempotentRequest({ key }) });
    expect(await purge("early")).toBe(0);
    await fill(20);
    expect(await purge("early")).toBe(0);
    expect(await subject.store.reader.count(subject.scope, filter, NOW)).toBe(15);
    expect(await purge("later")).toBe(15);
    const elsewhere = { ...subject.scope, namespace: "elsewhere" };
    const request = idempotentRequest({ key: "later", bodyHash: "another" });
    expect(await subject.store.purge.run(elsewhere, filter, { now: NOW, request })).toBe(0);
  });

  it("of more than one step answers the same to all who ask for it at the same time", async () => {
    await fill(1200);
    const request = idempotentRequest();
    const purged = await Promise.all(
      Array.from({ length: 5 }, () => subject.store.purge.run(subject.scope, filter, { now: NOW, request })),
    );
    expect(purged).toEqual(Array.from({ length: 5 }, () => 900));
  });

  it("counts and deletes nothing in an unknown namespace", async () => {
    expect(await subject.store.reader.count(freshNamespaceKey(), ANY_STATE, NOW)).toBe(0);
    expect(await subject.store.purge.run(freshNamespaceKey(), ANY_STATE, { now: NOW })).toBe(0);
  });
}
