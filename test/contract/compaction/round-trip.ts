import { expect, it } from "vitest";
import { etagOf, type Memory, type StoredMemory } from "../../../src/domain/memory/memory.ts";
import { canonicalJson, type Json } from "../../../src/lib/json.ts";
import type { MemoryChanges } from "../../../src/ports/compaction/compaction-store.ts";
import { DAY, NOW, newMemory, seededRandom } from "../../support/builders.ts";
import { pick, type Random, randomMemory, STATES, some, WORDS } from "../../support/random-memories.ts";
import { scale } from "../../support/scale.ts";
import { ALL, ANY_STATE, idsOf } from "../memory/support.ts";
import { freshNamespaceKey, type Subject, vectorOf } from "../store-under-test.ts";
import { asStored, type CompactionSubject, createMemories, startRun } from "./support.ts";

const COUNT = 15;
const RUNS = scale(8, 100);

/** Changes followed by their inverse leave no trace, whatever they are. */
export function roundTripCases(subject: CompactionSubject): void {
  it(`restores an export, and all that finds memories, byte for byte in ${RUNS} random namespaces`, async () => {
    for (let seed = 1; seed <= RUNS; seed += 1) {
      await roundTrip({ ...at(subject, freshNamespaceKey()) }, seed);
    }
  });
}

/** The same store in another namespace. */
function at({ store, reopen }: CompactionSubject, scope: CompactionSubject["scope"]): CompactionSubject {
  return { store, scope, reopen } satisfies Subject<CompactionSubject["store"]>;
}

async function roundTrip(subject: CompactionSubject, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const items = Array.from({ length: COUNT }, (_, index) => {
    const { expireTime: _end, ...forever } = randomMemory(random, `m${index}`);
    const expiring = random() < 0.3 ? { expireTime: NOW + 2 * DAY } : {};
    const text = `${pick(random, WORDS)} ${index % 4} tea`;
    const { etag: _stale, ...content } = { ...forever, ...expiring, text };
    const vector = random() < 0.7 ? { vector: vectorOf(index) } : {};
    const embedding = "vector" in vector ? READY : forever.embedding;
    const whole = { ...content, embedding, etag: etagOf(content) };
    return newMemory(whole, { ...vector, onDuplicate: "ALLOW" });
  });
  await createMemories(subject, items);
  const before = await seen(subject);
  const { write } = await startRun(subject);
  const inverses: MemoryChanges[] = [];
  for (let step = 0; step < 3; step += 1) {
    const { there, back } = randomChanges(random, await stored(subject), `s${step}`);
    expect([seed, await write({ changes: there })]).toEqual([seed, []]);
    inverses.unshift(back);
  }
  const meanwhile = await seen(subject);
  expect(meanwhile.exported).not.toEqual(before.exported);
  for (const back of inverses) expect([seed, await write({ changes: back })]).toEqual([seed, []]);
  expect(await seen(subject)).toEqual(before);
}

const READY = {
  state: "READY",
  provider: "contract",
  model: "random",
  dimension: 20,
  truncated: false,
} as const;

/** Changes of some memories, and a summary; and what reverts them. */
function randomChanges(random: Random, all: readonly StoredMemory[], summaryId: string) {
  const chosen = [...some(random, all, 0.4), ...all.slice(0, 1)].filter(
    (one, index, list) => list.indexOf(one) === index && !one.id.startsWith("s"),
  );
  const put = chosen.map((one) => randomlyChanged(random, one));
  const summary = newMemory({ id: summaryId, text: "tea of all", kind: "SUMMARY", sessionId: "s1" });
  const there: MemoryChanges = { expected: asStored(...chosen), put, create: [summary], remove: [] };
  const expected = asStored(...put, summary.memory);
  // What the store keeps is left out of the record, as a journal does.
  const originals = chosen.map((one) => ({
    ...one,
    sessionPosition: 0,
    embedding: summary.memory.embedding,
  }));
  const back: MemoryChanges = {
    expected,
    put: originals.map(withoutAccess),
    create: [],
    remove: [summaryId],
  };
  return { there, back };
}

function withoutAccess({ access: _, ...record }: StoredMemory): Memory {
  return record;
}

function randomlyChanged(random: Random, one: StoredMemory): Memory {
  const { expireTime, etag: _, ...rest } = withoutAccess(one);
  const expire = pick(random, [undefined, expireTime, NOW + DAY]);
  const content = {
    ...rest,
    state: pick(random, STATES),
    supersededBy: pick(random, ["", "m0"]),
    tags: some(random, WORDS, 0.3),
    importance: pick(random, [0, 0.25, 0.9]),
    sourceIds: pick(random, [one.sourceIds, ["m1", "m2"]]),
    updateTime: one.updateTime + 1,
    ...(expire === undefined ? {} : { expireTime: expire }),
  };
  return { ...content, etag: etagOf(content) };
}

function stored({ store, scope }: CompactionSubject): Promise<StoredMemory[]> {
  return store.memories.reader.list(scope, { filter: ANY_STATE, limit: ALL, now: NOW });
}

/** Whatever a caller can see of the memories. */
async function seen({ store, scope }: CompactionSubject) {
  const page = { filter: ANY_STATE, limit: ALL, maxBytes: 10_000_000, now: NOW };
  const exported = await store.memories.exporter.listOldest(scope, page);
  const counts = STATES.flatMap((state) =>
    ["", ...WORDS].map((userId) => store.memories.reader.count(scope, { states: [state], userId }, NOW)),
  );
  const tagged = WORDS.map((tag) =>
    store.memories.reader.count(scope, { ...ANY_STATE, tagsAny: [tag] }, NOW),
  );
  const searches = STATES.map(async (state) => {
    const query = { filter: { states: [state] }, terms: ["tea", "1"], vector: vectorOf(99), limit: ALL };
    const { byVector, byKeyword, corpus } = await store.memories.search.search(scope, query, NOW);
    return { byVector: idsOf(byVector), byKeyword: idsOf(byKeyword).sort(), corpus };
  });
  return {
    exported: exported.map((one) => canonicalJson(one as unknown as Json)),
    counts: await Promise.all([...counts, ...tagged]),
    searches: await Promise.all(searches),
    namespace: await store.namespaces.counts(scope),
  };
}
