import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import type { MemoryFilter } from "../../../src/domain/memory/filter.ts";
import type { StoredMemory } from "../../../src/domain/memory/memory.ts";
import type { Memories } from "../../../src/ports/memory/memories.ts";
import type { CandidateQuery, Candidates } from "../../../src/ports/memory/search.ts";
import type { CreateOutcome, NewMemory, RefusedMemory } from "../../../src/ports/memory/writer.ts";
import { NOW, newMemory } from "../../support/builders.ts";
import { type Subject, vectorOf } from "../store-under-test.ts";

/** The subject of the cases in this folder. */
export type MemorySubject = Subject<Memories>;

/** Passes every memory that has not expired. */
export const ANY_STATE: MemoryFilter = { states: ["ACTIVE", "SUPERSEDED", "ARCHIVED", "QUARANTINED"] };

/** More than any test stores. */
export const ALL = 1000;

/** Writes items at NOW into the scope of the test. */
export function write(
  subject: MemorySubject,
  ...items: readonly (NewMemory | RefusedMemory)[]
): Promise<CreateOutcome[]> {
  return subject.store.writer.create(subject.scope, items, { now: NOW });
}

/** A memory of a session with the words of its text as terms and the vector of a seed. */
export function withWords(
  id: string,
  text: string,
  seed: number,
  more: Parameters<typeof newMemory>[0] = {},
): NewMemory {
  return newMemory(
    { id, text, sessionId: "s", ...more },
    { terms: text.split(" "), vector: vectorOf(seed), onDuplicate: "ALLOW" },
  );
}

/** Everything that a scope holds at `now`, newest first. */
export function listAll(store: Memories, scope: NamespaceKey, now = NOW): Promise<StoredMemory[]> {
  return store.reader.list(scope, { filter: ANY_STATE, limit: ALL, now });
}

/** The ids of everything that the scope of the test holds at `now`, sorted. */
export async function storedIds(subject: MemorySubject, now = NOW): Promise<string[]> {
  return idsOf(await listAll(subject.store, subject.scope, now)).sort();
}

/** Searches the scope of the test, in any state and without limit. */
export function search(
  subject: MemorySubject,
  query: Partial<CandidateQuery>,
  now = NOW,
): Promise<Candidates> {
  return subject.store.search.search(subject.scope, { filter: ANY_STATE, limit: ALL, ...query }, now);
}

export function idsOf(found: readonly { readonly id: string }[]): string[] {
  return found.map(({ id }) => id);
}

/** An outcome in one line: `created m1`, `duplicate m1`, `refused MEMORY_DUPLICATE`. */
export function outcomeText(outcome: CreateOutcome): string {
  return outcome.kind === "refused"
    ? `refused ${outcome.error.reason}`
    : `${outcome.kind} ${outcome.memory.id}`;
}

/** The memory of an outcome; throws for a refused one. */
export function memoryOf(outcome: CreateOutcome | undefined): StoredMemory {
  if (outcome === undefined || outcome.kind === "refused") throw new Error("no memory in this outcome");
  return outcome.memory;
}
