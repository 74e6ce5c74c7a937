import { type Memory, normalisedText } from "../memory/memory.ts";
import type { Comparisons } from "./comparisons.ts";
import { mergeConflicts } from "./merge.ts";
import { timeOf } from "./policy.ts";

/** Memories of one text that may become one; what is compared with others. */
export interface Node {
  readonly text: string;
  /** The oldest member by creation. */
  readonly first: Memory;
  /** The newest by {@link timeOf} first; at least one. */
  readonly members: readonly Memory[];
  /** It tells an event. */
  readonly happened: boolean;
}

/** Texts that are read in some milliseconds: 0.2 ms each of short ones. */
const TEXTS_OF_STEP = 32;

/** Memories of one partition, in the order of creation, by their normalised text and by what keeps equal texts apart. */
export function* nodesOf(
  memories: readonly Memory[],
  comparisons: Comparisons,
): Generator<void, readonly Node[]> {
  const nodes: Node[] = [];
  for (const [, equal] of Map.groupBy(memories, ({ text }) => normalisedText(text))) {
    if (nodes.length % TEXTS_OF_STEP === 0) yield;
    const sets: { readonly members: Memory[]; readonly happened: boolean }[] = [];
    for (const memory of equal) {
      const happened = memory.kind === "EPISODIC" || comparisons.happened(memory.text);
      const fits = sets.find(({ members }) =>
        members.every((member) => mergeConflicts(member, memory, happened).length === 0),
      );
      if (fits === undefined) sets.push({ members: [memory], happened });
      else fits.members.push(memory);
    }
    for (const { members, happened } of sets) {
      const [first] = members;
      if (first === undefined) continue;
      const sorted = [...members].sort((a, b) => timeOf(b) - timeOf(a) || (a.id < b.id ? -1 : 1));
      nodes.push({ text: first.text, first, members: sorted, happened });
    }
  }
  return nodes;
}

/** The newest time of a node's members. */
export function newestOf(node: Node | undefined): number {
  const [newest] = node?.members ?? [];
  return newest === undefined ? Number.NEGATIVE_INFINITY : timeOf(newest);
}
