import type { Kind } from "./kinds.ts";

/**
 * One setting: where it is read from, what it may be, and what it is by default. The kind reads the text of an
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
  readonly reloadable?: true;
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

const MASK = "********";

/**
 * The text of a value as it may be shown. In a URL neither what stands before its @ nor its query is, whatever the
 * setting; of one that is secret, only one that is understood is shown at all.
 */
export function masked({ secret, kind }: Setting, text: string): string {
  if (secret === "all") return MASK;
  if (secret === "credentials" && kind.read(text) === undefined) return MASK;
  return text
    .replaceAll(/\/\/[^\s,/]*@/g, `//${MASK}@`)
    .replaceAll(/(\/\/[^\s,?#]*)[?#][^\s,]*/g, `$1?${MASK}`);
}
