import { readFileSync } from "node:fs";
import { join } from "node:path";

/** `safe`: one answer serves both prompts. `trap`: they look alike and need different answers. */
export type PairLabel = "safe" | "trap";

export interface PromptPair {
  readonly label: PairLabel;
  /** What the prompts differ in, such as "typo" or "number". */
  readonly kind: string;
  readonly domain: string;
  /** The prompt whose answer is stored. */
  readonly stored: string;
  /** The prompt of the lookup. */
  readonly asked: string;
}

const FILE = join(import.meta.dirname, "cache-pairs.tsv");
const HEADER = "label\tkind\tdomain\ta\tb";

/** The labelled pairs; cache-pairs.NOTICE.md describes the file. */
export function readPromptPairs(file: string = FILE): PromptPair[] {
  const [header, ...lines] = readFileSync(file, "utf8").trimEnd().split("\n");
  if (header !== HEADER) throw new Error(`${file}: the first line is not the expected header`);
  return lines.map((line, index) => {
    const [label, kind, domain, stored, asked, ...rest] = line.split("\t");
    if ((label !== "safe" && label !== "trap") || !kind || !domain || !stored || !asked || rest.length > 0)
      throw new Error(`${file}:${index + 2}: not a pair`);
    return { label, kind, domain, stored, asked };
  });
}
