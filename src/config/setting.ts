import type { Kind } from "./kinds.ts";

/**
 * One setting: its sources, its kind and its default. The kind parses the text of an environment variable; a YAML scalar
 * is parsed as its source text, so that both mean the same.
 */
export interface Setting<T = unknown, D extends T | undefined = T | undefined> {
  readonly env?: string;
  /** Path in config/memory_config.yaml, such as `cache.default_ttl`. */
  readonly yaml?: string;
  /** A second path of the same setting. */
  readonly yamlToo?: string;
  readonly kind: Kind<T>;
  /** Undefined: none, or a derived one (derive.ts); `unset` then describes it. */
  readonly fallback: D;
  readonly unset?: string;
  /** Never shown, and also read from the file in `<env>_FILE`. In a URL only the credentials are secret. */
  readonly secret?: "all" | "credentials";
  /** Reloadable by SIGHUP. */
  readonly reloadable?: true;
  /** Description in one or two sentences, with the unit. */
  readonly description: string;
}

/** Declares a setting with its types. */
export function setting<T, const D extends T | undefined>(one: Setting<T, D>): Setting<T, D> {
  return one;
}

/** The name in messages: its variable, or its YAML path when it has none. */
export function nameOf({ env, yaml }: Setting): string {
  return env ?? yaml ?? "";
}

const MASK = "********";

/**
 * The text of a value for display. User information and query of a URL are masked in every setting; a secret URL is
 * shown only when it can be parsed.
 */
export function masked({ secret, kind }: Setting, text: string): string {
  if (secret === "all") return MASK;
  if (secret === "credentials" && kind.read(text) === undefined) return MASK;
  return text
    .replaceAll(/\/\/[^\s,/]*@/g, `//${MASK}@`)
    .replaceAll(/(\/\/[^\s,?#]*)[?#][^\s,]*/g, `$1?${MASK}`);
}
