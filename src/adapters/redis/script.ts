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

/** Reads scripts/<name>.lua, with the functions of scripts/lib/<library>.lua in front. */
export function readScript(
  name: string,
  { libraries = [], effect }: { readonly libraries?: readonly string[]; readonly effect: Effect },
): Script {
  const files = [...libraries.map((library) => `lib/${library}`), name];
  const parts = files.map((file) => readFileSync(new URL(`scripts/${file}.lua`, import.meta.url), "utf8"));
  const text = [FLAGS[effect], ...parts].join("\n");
  return { text, digest: hash("sha1", text), effect };
}
