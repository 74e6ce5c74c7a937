import { describe, expect, it } from "vitest";
import type { MemoryState } from "../../../src/domain/memory/memory.ts";
import type { NewMemory } from "../../../src/ports/memory/writer.ts";
import { DAY, type memory, NOW, newMemory, seededRandom } from "../../support/builders.ts";
import { pick, type Random } from "../../support/random-memories.ts";
import { vectorOf } from "../store-under-test.ts";
import { ALL, ANY_STATE, idsOf, type MemorySubject, search, write } from "./support.ts";

/** Reading the past: which memories were current at a time. */
export function historyCases(subject: MemorySubject): void {
  const LATER = NOW + 100 * DAY;
  /** The ids as of a time, after a check that list, count and both retrievers of a search agree. */
  const asOf = async (time: number, states: readonly MemoryState[] = ["ACTIVE"]): Promise<string[]> => {
    const filter = { states, asOf: time };
    const { reader } = subject.store;
    const listed = idsOf(await reader.list(subject.scope, { filter, limit: ALL, now: LATER })).sort();
    const found = await search(subject, { vector: vectorOf(0), terms: ["fact"], filter }, LATER);
    const counted = await reader.count(subject.scope, filter, LATER);
    const [byVector, byKeyword] = [found.byVector, found.byKeyword].map((one) => idsOf(one).sort());
    expect({ byVector, byKeyword, counted }).toEqual({
      byVector: listed,
      byKeyword: listed,
      counted: listed.length,
    });
    return listed;
  };
  const fact = (given: Parameters<typeof newMemory>[0] & { readonly id: string }, seed = 1): NewMemory =>
    newMemory(given, { onDuplicate: "ALLOW", terms: ["fact"], vector: vectorOf(seed) });

  it("begins with the creation", async () => {
    await write(subject, fact({ id: "a", createTime: NOW }), fact({ id: "b", createTime: NOW + 5 }));
    expect(await asOf(NOW - 1)).toEqual([]);
    expect(await asOf(NOW)).toEqual(["a"]);
    expect(await asOf(NOW + 5)).toEqual(["a", "b"]);
  });

  it("shows a superseded memory as ACTIVE until it was superseded, and what replaced it from then on", async () => {
    await write(subject, fact({ id: "paris" }));
    const berlin = fact({ id: "berlin", createTime: NOW + DAY, supersedes: ["paris"] });
    await subject.store.writer.create(subject.scope, [berlin], { now: NOW + DAY });
    expect(await asOf(NOW + DAY - 1)).toEqual(["paris"]);
    expect(await asOf(NOW + DAY)).toEqual(["berlin"]);
    expect(await asOf(NOW + DAY - 1, ["SUPERSEDED"])).toEqual([]);
    expect(await asOf(NOW + DAY, ["SUPERSEDED"])).toEqual(["paris"]);
    expect(await asOf(NOW + DAY, ["ACTIVE", "SUPERSEDED"])).toEqual(["berlin", "paris"]);
  });

  it("counts a memory in another state from its update time on", async () => {
    const states = ANY_STATE.states.filter((state) => state !== "ACTIVE");
    await write(subject, ...states.map((state) => fact({ id: state, state, updateTime: NOW + 3 })));
    expect(await asOf(NOW + 2)).toEqual([...states].sort());
    expect(await asOf(NOW + 3)).toEqual([]);
    for (const state of states) expect(await asOf(NOW + 3, [state])).toEqual([state]);
    expect(await asOf(NOW + 3, ["ARCHIVED", "QUARANTINED"])).toEqual(["ARCHIVED", "QUARANTINED"]);
    expect(await asOf(NOW + 2, ["ARCHIVED", "QUARANTINED"])).toEqual([]);
  });

  it("takes validity from its beginning on, up to but without its end", async () => {
    await write(
      subject,
      fact({ id: "always" }),
      fact({ id: "from", validFrom: NOW + 2 }),
      fact({ id: "until", validUntil: NOW + 2 }),
      fact({ id: "between", validFrom: NOW + 1, validUntil: NOW + 3 }),
    );
    expect(await asOf(NOW)).toEqual(["always", "until"]);
    expect(await asOf(NOW + 1)).toEqual(["always", "between", "until"]);
    expect(await asOf(NOW + 2)).toEqual(["always", "between", "from"]);
    expect(await asOf(NOW + 3)).toEqual(["always", "from"]);
    const all = { filter: { states: ["ACTIVE" as const] }, limit: ALL, now: LATER };
    expect(await subject.store.reader.list(subject.scope, all)).toHaveLength(4);
  });

  it("sees no correction: it has the newest content, validity included", async () => {
    await write(subject, fact({ id: "a", validFrom: NOW + 5 }));
    const [before] = await subject.store.reader.get(subject.scope, ["a"], NOW);
    const { onDuplicate: _, ...corrected } = fact({ id: "a", text: "corrected", updateTime: NOW + 9 });
    await subject.store.writer.replace(subject.scope, before?.etag ?? "", corrected, { now: NOW + 9 });
    expect(await asOf(NOW)).toEqual(["a"]);
  });

  it("is empty for what was deleted, or has expired since", async () => {
    await write(subject, fact({ id: "deleted" }), fact({ id: "expired", expireTime: LATER }));
    await subject.store.writer.delete(subject.scope, "deleted", { now: NOW + 1 });
    expect(await asOf(NOW)).toEqual([]);
  });

  it("is the same after a transfer", async () => {
    await write(subject, fact({ id: "paris" }));
    const berlin = fact({ id: "berlin", createTime: NOW + DAY, supersedes: ["paris"] });
    await subject.store.writer.create(subject.scope, [berlin], { now: NOW + DAY });
    const query = { filter: ANY_STATE, limit: ALL, maxBytes: Number.MAX_SAFE_INTEGER, now: LATER };
    const exported = await subject.store.exporter.listOldest(subject.scope, query);
    await subject.store.purge.run(subject.scope, ANY_STATE, { now: LATER });
    const items = exported.map((one) => {
      const { onDuplicate: _, ...item } = fact(one);
      return item;
    });
    await subject.store.importer.import(subject.scope, items, { now: LATER });
    expect(await asOf(NOW + DAY - 1)).toEqual(["paris"]);
    expect(await asOf(NOW + DAY)).toEqual(["berlin"]);
  });

  describe("of contradictions", () => {
    it("has the fact that was current at every time, of every subject", async () => {
      const random = seededRandom(21);
      const chains = Array.from({ length: 12 }, (_, at) => randomChain(random, `s${at}`));
      const facts = chains.flat().sort((a, b) => a.time - b.time);
      for (const { id, time, replaces } of facts) {
        const supersedes = replaces === undefined ? {} : { supersedes: [replaces] };
        const item = fact({ id, createTime: time, updateTime: time, ...supersedes });
        await subject.store.writer.create(subject.scope, [item], { now: time });
      }
      const current = (time: number): string[] =>
        chains.flatMap((chain) => chain.findLast((one) => one.time <= time)?.id ?? []).sort();
      const times = [...new Set(facts.flatMap(({ time }) => [time - 1, time, time + 1]))];
      for (const time of times) expect([time, await asOf(time)]).toEqual([time, current(time)]);
      // Without a time it is that of now.
      const filter = { states: ["ACTIVE" as const] };
      const now = await subject.store.reader.list(subject.scope, { filter, limit: ALL, now: LATER });
      expect(idsOf(now).sort()).toEqual(current(LATER));
    });
  });

  it("is read page by page", async () => {
    await write(
      subject,
      ...Array.from({ length: 9 }, (_, at) => fact({ id: `m${at}`, createTime: NOW + at })),
    );
    const filter = { states: ["ACTIVE" as const], asOf: NOW + 6 };
    const ids: string[] = [];
    for (let after: ReturnType<typeof memory> | undefined; ; ) {
      const page = await subject.store.reader.list(subject.scope, {
        ...{ filter, limit: 2, now: LATER },
        ...(after === undefined ? {} : { after }),
      });
      ids.push(...idsOf(page));
      after = page.at(-1);
      if (page.length < 2) break;
    }
    expect(ids).toEqual(["m6", "m5", "m4", "m3", "m2", "m1", "m0"]);
  });
}

interface Fact {
  readonly id: string;
  readonly time: number;
  readonly replaces: string | undefined;
}

/** Facts about one subject, each of which contradicts the one before and replaces it, within 40 days. */
function randomChain(random: Random, name: string): readonly Fact[] {
  const length = pick(random, [1, 2, 3, 5]);
  const days = Array.from({ length }, () => Math.floor(random() * 40)).sort((a, b) => a - b);
  return days.map((day, at) => ({
    id: `${name}-${at}`,
    // Two on one day follow each other.
    time: NOW + day * DAY + at,
    replaces: at === 0 ? undefined : `${name}-${at - 1}`,
  }));
}
