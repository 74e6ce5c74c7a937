import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import type { CompactionGroup } from "../../../src/domain/compaction/group.ts";
import type { CompactionRun } from "../../../src/domain/compaction/run.ts";
import { etagOf, type Memory, recordOf, type StoredMemory } from "../../../src/domain/memory/memory.ts";
import type { Backend } from "../../../src/ports/backend.ts";
import {
  type CompactionStore,
  LeaseLost,
  type MemoryChanges,
  type RunLease,
  type RunWrite,
  type StoredRun,
} from "../../../src/ports/compaction/compaction-store.ts";
import type { NewMemory } from "../../../src/ports/memory/writer.ts";
import { NOW } from "../../support/builders.ts";
import { reasonOf, type Subject } from "../store-under-test.ts";

export type Stores = Pick<Backend, "memories" | "namespaces"> & { readonly compactions: CompactionStore };

/** The subject of the cases in this folder. */
export type CompactionSubject = Subject<Stores>;

export const MINUTE = 60_000;

/** A run over every user that plans. */
export function run(given: Partial<CompactionRun> = {}): CompactionRun {
  return {
    id: "run-1",
    policy: {
      strategy: "HYBRID",
      level: "LIGHT",
      keepRecentMs: 0,
      keepImportantMs: 0,
      minImportance: 0.25,
      maxAffectedFraction: 0.1,
    },
    state: "PLANNING",
    createTime: NOW,
    requiresApproval: false,
    scheduled: false,
    cancelRequested: false,
    examined: 0,
    groups: 0,
    doneGroups: 0,
    droppedGroups: 0,
    undoneGroups: 0,
    affected: 0,
    created: 0,
    counts: [],
    tokensBefore: 0,
    tokensAfter: 0,
    ...given,
  };
}

/** A run that ended at a time. */
export function endedRun(id: string, endTime: number, given: Partial<CompactionRun> = {}): CompactionRun {
  return run({ id, state: "SUCCEEDED", endTime, ...given });
}

/** A planned group that merges one memory into another. */
export function group(number: number, given: Partial<CompactionGroup> = {}): CompactionGroup {
  return {
    number,
    action: "MERGE",
    reason: "EQUAL_TEXT",
    members: [{ id: `m${number}`, etag: `etag-${number}` }],
    survivor: { id: `s${number}`, etag: `etag-s${number}` },
    findings: [],
    tokensBefore: 10,
    tokensAfter: 5,
    state: "PLANNED",
    ...given,
  };
}

/** No changes but these. */
export function changes(given: Partial<MemoryChanges>): MemoryChanges {
  return { expected: [], put: [], create: [], remove: [], ...given };
}

/** A stored memory with these fields changed, as a record to put. */
export function changed(memory: StoredMemory, given: Partial<Memory>): Memory {
  const content = { ...recordOf(memory), ...given };
  return { ...content, etag: etagOf(content) };
}

/** As `expected`. */
export function asStored(...memories: readonly Memory[]): MemoryChanges["expected"] {
  return memories.map(({ id, etag }) => ({ id, etag }));
}

/** A run that was started and claimed by the owner `a`, and what continues it. */
export interface StartedRun {
  readonly lease: RunLease;
  /** Writes with the lease and the version that follows from the earlier writes. */
  write(given?: Partial<RunWrite>, options?: { readonly now?: number }): Promise<readonly string[]>;
  /** The stored run. */
  stored(): Promise<StoredRun | undefined>;
}

/** Starts a run and claims it, for a minute. */
export async function startRun(
  subject: CompactionSubject,
  given: Partial<CompactionRun> = {},
  scope: NamespaceKey = subject.scope,
): Promise<StartedRun> {
  const { compactions } = subject.store;
  const { run: started, version } = await compactions.start(scope, run(given), { now: NOW });
  const lease = await claim(subject, { id: started.id, scope });
  if (lease === undefined) throw new Error("the run is not free");
  let next = version;
  return {
    lease,
    write: async (write = {}, { now = NOW } = {}) => {
      const options = { run: started, version: next, ...write };
      const conflicts = await subject.store.compactions.write(scope, lease, options, { now });
      if (conflicts.length === 0) next = options.version + 1;
      return conflicts;
    },
    stored: () => subject.store.compactions.get(scope, started.id),
  };
}

export function claim(
  subject: CompactionSubject,
  {
    id = "run-1",
    owner = "a",
    now = NOW,
    until = now + MINUTE,
    scope = subject.scope,
  }: {
    readonly id?: string;
    readonly owner?: string;
    readonly now?: number;
    readonly until?: number;
    readonly scope?: NamespaceKey;
  } = {},
): Promise<RunLease | undefined> {
  return subject.store.compactions.claim(scope, id, { owner, now, until });
}

export async function createMemories(
  subject: CompactionSubject,
  items: readonly NewMemory[],
  { now = NOW, scope = subject.scope }: { readonly now?: number; readonly scope?: NamespaceKey } = {},
): Promise<void> {
  await subject.store.memories.writer.create(scope, items, { now });
}

/** The memory with an id; throws when there is none. */
export async function memoryOf(subject: CompactionSubject, id: string, now = NOW): Promise<StoredMemory> {
  const [found] = await subject.store.memories.reader.get(subject.scope, [id], now);
  if (found === undefined) throw new Error(`no memory ${id}`);
  return found;
}

/** `LeaseLost`, the reason of another rejection, or undefined when the promise resolves. */
export async function refusalOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    return await reasonOf(promise);
  } catch (error) {
    if (error instanceof LeaseLost) return "LeaseLost";
    throw error;
  }
}
