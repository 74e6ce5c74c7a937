import { hash } from "node:crypto";
import { readFileSync } from "node:fs";

/** A Lua script as Redis gets it. */
export interface Script {
  readonly text: string;
  /** SHA-1, by which Redis knows it. */
  readonly digest: string;
  readonly effect: Effect;
}

/** What a script may do. What only reads or frees runs where memory is full, too. */
export type Effect = "reads" | "writes" | "frees";

const FLAGS: Readonly<Record<Effect, string>> = {
  reads: "#!lua flags=no-writes",
  writes: "#!lua",
  frees: "#!lua flags=allow-oom",
};

/** The folder of the functions that scripts share. */
const LIBRARIES = new URL("../lua/", import.meta.url);

/** Reads a script from its file, with the functions of lua/<library>.lua in front. */
export function readScript(
  file: URL,
  { libraries = [], effect }: { readonly libraries?: readonly string[]; readonly effect: Effect },
): Script {
  const files = [...libraries.map((library) => new URL(`${library}.lua`, LIBRARIES)), file];
  const parts = files.map((part) => readFileSync(part, "utf8"));
  const text = [FLAGS[effect], ...parts].join("\n");
  return { text, digest: hash("sha1", text), effect };
}
