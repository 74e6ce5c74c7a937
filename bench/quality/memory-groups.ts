import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A memory of a labelled group. */
export interface LabelledMemory {
  /** Its place in the group, from 0. */
  readonly at: number;
  readonly text: string;
  /** When it was so, milliseconds. */
  readonly time: number;
  /** Memories of a group with the same fact say the same. */
  readonly fact: string;
  /** The fact that it replaces, or empty. */
  readonly replaces: string;
}

/** Memories that look alike, in a namespace of their own. */
export interface MemoryGroup {
  readonly id: string;
  /** What the memories differ in, such as "number" or "reworded". */
  readonly kind: string;
  readonly memories: readonly LabelledMemory[];
}

/** `merge`: both say the same. `supersede`: the second replaces the first. `keep`: both stay. */
export type PairLabel = "merge" | "supersede" | "keep";

const FILE = join(import.meta.dirname, "memory-groups.tsv");
const HEADER = "group\tkind\tdomain\tdate\tfact\treplaces\ttext";

/** The labelled groups of a file of this form; memory-groups.NOTICE.md describes it. */
export function readMemoryGroups(file: string = FILE): MemoryGroup[] {
  const [header, ...lines] = readFileSync(file, "utf8").trimEnd().split("\n");
  if (header !== HEADER) throw new Error(`${file}: the first line is not the expected header`);
  const groups = new Map<string, { kind: string; memories: LabelledMemory[] }>();
  for (const [index, line] of lines.entries()) {
    const [id, kind, domain, date, fact, replaces, text, ...rest] = line.split("\t");
    const time = Date.parse(date ?? "");
    if (
      !id ||
      !kind ||
      !domain ||
      Number.isNaN(time) ||
      !fact ||
      replaces === undefined ||
      !text ||
      rest.length > 0
    )
      throw new Error(`${file}:${index + 2}: not a memory`);
    const group = groups.get(id) ?? { kind, memories: [] };
    group.memories.push({ at: group.memories.length, text, time, fact, replaces });
    groups.set(id, group);
  }
  return [...groups].map(([id, group]) => ({ id, ...group }));
}

/** The label of two memories of a group; for `supersede` the older one is given first. */
export function labelOf(
  one: LabelledMemory,
  other: LabelledMemory,
): { readonly label: PairLabel; readonly first: LabelledMemory; readonly second: LabelledMemory } {
  if (one.fact === other.fact) return { label: "merge", first: one, second: other };
  if (other.replaces === one.fact) return { label: "supersede", first: one, second: other };
  if (one.replaces === other.fact) return { label: "supersede", first: other, second: one };
  return { label: "keep", first: one, second: other };
}
