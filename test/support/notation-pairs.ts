import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Two prompts, and their difference. */
export interface NotationPair {
  readonly kind: string;
  readonly one: string;
  readonly other: string;
}

const FIXTURES = join(import.meta.dirname, "../fixtures");

/** Reads `notation-different.txt` or `notation-same.txt`; the head of the former describes the format. */
export function readNotationPairs(name: "different" | "same"): readonly NotationPair[] {
  const pairs: NotationPair[] = [];
  let kind = "";
  for (const line of readFileSync(join(FIXTURES, `notation-${name}.txt`), "utf8").split("\n")) {
    if (line.startsWith("## ")) kind = line.slice(3);
    if (line === "" || line.startsWith("# ") || line.startsWith("## ")) continue;
    const [frame, one, other] = line.split(" ¦ ");
    if (frame === undefined || one === undefined || other === undefined) throw new Error(`no pair: ${line}`);
    // A function, because "$$" in a replacement is one "$".
    const prompt = (part: string): string =>
      frame
        .replace("§", () => part)
        .replaceAll("␤", "\n")
        .replaceAll("␉", "\t");
    pairs.push({ kind, one: prompt(one), other: prompt(other) });
  }
  return pairs;
}
