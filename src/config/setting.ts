import type { Kind } from "./kinds.ts";

/**
 * One setting: where it is read from, what it may be, and what it is when nobody says. The kind reads the text of an
 * environment variable; a YAML scalar is taken as the text it is written as, so that both mean the same.
 */
export interface Setting<T = unknown, D extends T | undefined = T | undefined> {
  readonly env?: string;
  /** Path in config/memory_config.yaml, such as `cache.default_ttl`. */
  readonly yaml?: string;
  /** A second path of the same setting. */
  readonly yamlToo?: string;
  readonly kind: Kind<T>;
  /** Undefined: none, or one that follows from others (derive.ts); `unset` then says which. */
  readonly fallback: D;
  readonly unset?: string;
  /** Never shown, and read from a file too: the variable `<env>_FILE` names it. In a URL only its credentials are. */
  readonly secret?: "all" | "credentials";
  /** SIGHUP changes it while the server runs. */
  readonly live?: true;
  /** One sentence or two, with the unit. */
  readonly description: string;
}

/** Writes a setting down with its types. */
export function setting<T, const D extends T | undefined>(one: Setting<T, D>): Setting<T, D> {
  return one;
}

/** What a message calls it: its variable, or its YAML path when it has none. */
export function nameOf({ env, yaml }: Setting): string {
  return env ?? yaml ?? "";
}

/** The text of a value as it may be shown. */
export function masked({ secret }: Setting, text: string): string {
  if (secret === undefined) return text;
  const url = secret === "credentials" ? URL.parse(text) : null;
  if (url === null || url.hostname === "") return "********";
  if (url.username !== "") url.username = "********";
  if (url.password !== "") url.password = "********";
  return url.href;
}
