import type { PromptItem } from "./analysis.ts";
import { MEANS } from "./analysis-words.ts";

/** Slots of a sentence: more than a prompt has items, so that a slot tells its sentence. */
export const SENTENCE_SLOTS = 1024;

/** An item during reading, with the index of its token, and its connection to the previous item. */
export type Draft = { -readonly [Key in keyof PromptItem]: PromptItem[Key] } & {
  at: number;
  joint: "" | "pause" | "and";
  /** The number of its sentence, from 0. */
  sentence: number;
};

/** "France's capital": treats the owner like "of France". */
export function markOwner(items: readonly Draft[], at: number): void {
  let position = at - 1;
  for (let index = items.length - 1; index >= 0; index--, position--) {
    const item = items[index];
    if (item === undefined || item.at !== position || (item.kind !== "name" && position !== at - 1)) return;
    item.after = "of";
  }
}

/** Puts "the cat was fed by Ann" into the order of "Ann fed the cat". */
export function toActive(
  items: Draft[],
  at: { start: number; be: number; verb: number; agent: number },
): void {
  const first = items[at.agent];
  const agentsAct =
    first !== undefined && (first.kind === "word" || first.kind === "name" || first.kind === "pronoun");
  if (!agentsAct || (first.kind === "word" && (first.text.endsWith("ing") || MEANS.has(first.text)))) return;
  const split = at.be > at.start ? at.be : at.verb;
  const from = at.be > at.start ? at.start : Math.max(at.be, at.start);
  const subject = items.slice(from, split);
  const verb = items.slice(split, at.agent);
  const agent = items.slice(at.agent);
  for (const item of agent) if (item.after === "by") item.after = verb[0]?.after ?? "";
  items.splice(from, items.length - from, ...agent, ...verb, ...subject);
}

/** Puts "the list was sorted" into the order of "somebody sorted the list". */
export function verbFirst(items: Draft[], at: { start: number; be: number; verb: number }): void {
  const from = subjectStart(items, at.be > at.start ? at.start : Math.max(at.be, at.start), at.verb);
  const verb = items[at.verb];
  if (verb === undefined || at.verb <= from) return;
  // The verb is in the main clause; what stood before it may be governed by another word.
  items.splice(at.verb, 1);
  items.splice(from, 0, verb);
  const subject = items[from + 1];
  // "I was charged": somebody charged me.
  if (at.verb === from + 1 && subject?.kind === "pronoun" && OBJECTS.has(subject.text)) {
    subject.text = OBJECTS.get(subject.text) ?? subject.text;
    subject.stem = subject.text;
  }
}

/** Behind "I think", and at "my": what is before is not the subject. */
function subjectStart(items: readonly Draft[], from: number, to: number): number {
  let start = from;
  for (let index = from; index < to; index++) {
    const item = items[index];
    if (item?.kind !== "pronoun") continue;
    if (item.text.endsWith("'s")) start = index;
    else if (index + 2 < to) start = index + 2;
  }
  return start;
}

const OBJECTS: ReadonlyMap<string, string> = new Map([
  ["1", "1o"],
  ["he", "heo"],
  ["she", "sheo"],
]);

/** Numbers the items; the members of a list of single words share a number. */
export function assignSlots(items: readonly Draft[]): void {
  for (const [index, item] of items.entries()) item.slot = item.sentence * SENTENCE_SLOTS + index;
  for (let right = 1; right < items.length; right++) {
    if (items[right]?.joint !== "and") continue;
    let left = right - 1;
    while (left > 0 && items[left]?.joint === "pause" && isNeighbour(items, left)) left--;
    // "Tom called Ann and Bob called Sue" joins two clauses, not Ann and Bob: one end of a list must be free.
    const leftFree = items[left - 1]?.at !== (items[left]?.at ?? 0) - 1;
    const rightFree = items[right + 1]?.at !== (items[right]?.at ?? 0) + 1;
    if (!isNeighbour(items, right) || !(leftFree || rightFree)) continue;
    for (let member = left + 1; member <= right; member++) {
      const item = items[member];
      // Under "from A and B" both are governed alike.
      if (item !== undefined) [item.slot, item.after] = [items[left]?.slot ?? 0, items[left]?.after ?? ""];
    }
  }
}

function isNeighbour(items: readonly Draft[], index: number): boolean {
  return (items[index]?.at ?? 0) - (items[index - 1]?.at ?? 0) <= 3;
}
