import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { memoryDuplicate, memoryExists, memoryNotFound, RecollectError } from "../../../domain/errors.ts";
import { differingFields, mergeDuplicate } from "../../../domain/memory/duplicate.ts";
import {
  isExpired,
  type Memory,
  recordOf,
  type StoredMemory,
  withAccess,
} from "../../../domain/memory/memory.ts";
import { superseded, toSupersede } from "../../../domain/memory/supersession.ts";
import type { CreateOutcome, NewMemory, RefusedMemory } from "../../../ports/memory/writer.ts";

/** The stored memory that an item conflicts with: none, one with its id, its oldest duplicate, or one that was recalled. */
export type Observation =
  | "FREE"
  | "TAKEN"
  | { readonly kind: "duplicate" | "recalled"; readonly memory: StoredMemory };

/** The plan for an item, valid while its observation holds. */
export interface PlannedItem {
  readonly observed: Observation;
  readonly outcome: CreateOutcome;
  /** Absent: nothing is written. */
  readonly write?:
    | { readonly kind: "create"; readonly item: NewMemory; readonly superseded: readonly SupersededMemory[] }
    /** The existing memory, merged with its duplicate. */
    | { readonly kind: "merge"; readonly memory: Memory };
}

/** A memory that a new one supersedes, as it becomes. */
export interface SupersededMemory {
  readonly observedEtag: string;
  readonly memory: Memory;
}

/** What the plan of a batch depends on, as it was observed. */
export interface Observations {
  /** By item; absent: no conflict. */
  readonly conflicts: readonly Observation[];
  /** By id: the memories that items supersede. */
  readonly superseded: ReadonlyMap<string, StoredMemory>;
}

/**
 * Plans the items of a batch in order, given what was observed before the first is written. Lua cannot compute an etag, so the plan is made here; create-memories.lua executes it if the observations still hold.
 * Session positions of new memories are not known yet.
 */
export function planCreation(
  scope: NamespaceKey,
  items: readonly (NewMemory | RefusedMemory)[],
  { observed, now }: { readonly observed: Observations; readonly now: number },
): PlannedItem[] {
  const batch = new PlannedBatch(now);
  return items.map((item, at): PlannedItem => {
    const observation = observed.conflicts[at] ?? "FREE";
    if ("refusal" in item)
      return { observed: observation, outcome: { kind: "refused", error: item.refusal } };
    const { memory, onDuplicate } = item;
    if (observation === "TAKEN" || batch.isTaken(memory.id)) {
      const error = memoryExists(scope.namespace, memory.id);
      return { observed: observation, outcome: { kind: "refused", error } };
    }
    const duplicate = onDuplicate === "ALLOW" ? undefined : batch.duplicateOf(item, observation);
    const recalled = duplicate === undefined ? batch.recalledBy(observation) : undefined;
    if (recalled !== undefined) {
      const differs = differingFields(recordOf(recalled), memory);
      const outcome: CreateOutcome = { kind: "duplicate", memory: recalled, differs, recallLoop: true };
      return { observed: observation, outcome };
    }
    if (duplicate === undefined) {
      const superseded = supersededBy(scope, memory, observed.superseded, now);
      if (superseded instanceof RecollectError)
        return { observed: observation, outcome: { kind: "refused", error: superseded } };
      batch.add(item);
      return {
        observed: observation,
        outcome: { kind: "created", memory },
        write: { kind: "create", item, superseded },
      };
    }
    if (onDuplicate === "REFUSE") {
      const error = memoryDuplicate(scope.namespace, duplicate.id);
      return { observed: observation, outcome: { kind: "refused", error } };
    }
    const before = recordOf(duplicate);
    const { memory: merged, differs } = mergeDuplicate(before, memory, now);
    const outcome: CreateOutcome = {
      kind: "duplicate",
      memory: batch.change(withAccess(merged, duplicate.access)),
      differs,
    };
    if (merged === before) return { observed: observation, outcome };
    return { observed: observation, outcome, write: { kind: "merge", memory: merged } };
  });
}

/** What becomes of the memories that a new one supersedes, or why it cannot. */
function supersededBy(
  scope: NamespaceKey,
  memory: Memory,
  observed: ReadonlyMap<string, StoredMemory>,
  now: number,
): readonly SupersededMemory[] | RecollectError {
  const find = (id: string) => {
    const current = observed.get(id);
    return current === undefined ? undefined : { current };
  };
  const found = toSupersede(memory, find, (id) => memoryNotFound(scope.namespace, id));
  if (found instanceof RecollectError) return found;
  return found.map(({ current }) => ({
    observedEtag: current.etag,
    memory: superseded(recordOf(current), memory.id, now),
  }));
}

/** The memories that the items planned so far create or change. */
class PlannedBatch {
  readonly #now: number;
  /** By id: unexpired memories that these items store or change. */
  readonly #memories = new Map<string, StoredMemory>();
  /** By duplicate key: ids of memories that these items store. */
  readonly #created = new Map<string, string>();

  constructor(now: number) {
    this.#now = now;
  }

  isTaken(id: string): boolean {
    return this.#memories.has(id);
  }

  /** The oldest duplicate: one from before the batch, else the first in the batch. */
  duplicateOf({ duplicateKey }: NewMemory, observation: Observation): StoredMemory | undefined {
    if (typeof observation !== "string" && observation.kind === "duplicate") {
      return this.#asPlanned(observation.memory);
    }
    return this.#memories.get(this.#created.get(duplicateKey) ?? "");
  }

  /** The recalled memory that makes an item a recall loop: one from before the batch, because no item is an access. */
  recalledBy(observation: Observation): StoredMemory | undefined {
    const isRecalled = typeof observation !== "string" && observation.kind === "recalled";
    return isRecalled ? this.#asPlanned(observation.memory) : undefined;
  }

  add({ memory, duplicateKey }: NewMemory): void {
    if (isExpired(memory, this.#now)) return;
    this.#memories.set(memory.id, memory);
    if (memory.state === "ACTIVE" && !this.#created.has(duplicateKey)) {
      this.#created.set(duplicateKey, memory.id);
    }
  }

  /** A memory from before the batch, as the items so far have changed it. */
  #asPlanned(memory: StoredMemory): StoredMemory {
    return this.#memories.get(memory.id) ?? memory;
  }

  change(memory: StoredMemory): StoredMemory {
    this.#memories.set(memory.id, memory);
    return memory;
  }
}
