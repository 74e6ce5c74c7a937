import process from "node:process";
import type { LoadOptions } from "../config/load.ts";

export interface SourceOptions {
  /** Settings of the command line, by variable or YAML path. */
  readonly set: Readonly<Record<string, string>>;
  /** Path of the YAML file. */
  readonly config?: string;
}

/** Sources of the server configuration, shared by `serve` and `config check`. */
export function configSources({ set, config }: SourceOptions): LoadOptions {
  const flags = config === undefined ? set : { ...set, RECOLLECT_CONFIG: config };
  return { env: process.env, envFile: ".env", flags, terminal: process.stdout.isTTY };
}
