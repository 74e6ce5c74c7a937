import type { CreateOutcome, NewMemory, RefusedMemory } from "../../../ports/memory/writer.ts";
import type { NamespaceRedisKeys } from "../namespaces/keys.ts";
import type { PackRecord } from "../namespaces/records.ts";
import type { Observation, PlannedItem, SupersededMemory } from "./create-plan.ts";
import { type MemoryInput, memoryInput, mergeInput, NO_MEMORY } from "./rows.ts";

/** A row of create-memories.lua; none for an item that is refused beforehand. */
export function plannedInput(
  namespace: NamespaceRedisKeys,
  item: NewMemory | RefusedMemory | undefined,
  { observed, write }: PlannedItem,
  pack: PackRecord,
): (MemoryInput & Lookup)[] {
  if (item === undefined || "refusal" in item) return [];
  const lookup = {
    itemId: item.memory.id,
    write: write?.kind ?? "",
    duplicateKey: item.onDuplicate === "ALLOW" ? "" : item.duplicateKey,
    recallKey: item.recalledSince === undefined ? "" : item.textKey,
    recalledSince: item.recalledSince ?? "",
    observed: meetsOf(observed),
  };
  if (write === undefined) return [{ ...NO_MEMORY, ...lookup }];
  const written =
    write.kind === "create"
      ? memoryInput(namespace.namespaceId, write.item, pack)
      : mergeInput(namespace.namespaceId, write.memory, pack);
  return [{ ...written, ...lookup }];
}

/** The memories that a planned item supersedes. */
export function supersededOf({ write }: PlannedItem): readonly SupersededMemory[] {
  return write?.kind === "create" ? write.superseded : [];
}

/** What create-memories.lua reads of an item beside its memory. */
type Lookup = Readonly<
  Record<"itemId" | "write" | "duplicateKey" | "recallKey" | "recalledSince" | "observed", string | number>
>;

/** An observation in the words of create-memories.lua. */
function meetsOf(observed: Observation): string {
  if (observed === "FREE") return "";
  if (observed === "TAKEN") return observed;
  return observed.kind === "recalled" ? `RECALLED ${observed.memory.etag}` : observed.memory.etag;
}

/** The outcomes with the session positions of what was created, in order; those of duplicates of it too. */
export function withPositions(plan: readonly PlannedItem[], positions: readonly number[]): CreateOutcome[] {
  const created = plan.flatMap(({ write }) => (write?.kind === "create" ? [write.item.memory.id] : []));
  const positionOf = new Map(created.map((id, at) => [id, positions[at] ?? 0]));
  return plan.map(({ outcome }): CreateOutcome => {
    if (outcome.kind === "refused") return outcome;
    const sessionPosition = positionOf.get(outcome.memory.id);
    return sessionPosition === undefined
      ? outcome
      : { ...outcome, memory: { ...outcome.memory, sessionPosition } };
  });
}
