import type { EvictionPolicy } from "../../domain/cache/eviction.ts";
import type { GuardStrictness } from "../../domain/cache/guard-strictness.ts";
import type { CacheStrategy } from "./prepared-lookup.ts";

/** The settings of the cache; a call may be stricter. */
export interface CacheSettings {
  readonly enabled: boolean;
  readonly strategy: CacheStrategy;
  /** Undefined: the default of the model. */
  readonly similarityThreshold: number | undefined;
  readonly alignedThreshold: number;
  /** Of namespaces that have none of their own; see strictnessOf. */
  readonly guard: GuardStrictness;
  readonly defaultTtlMs: number;
  /** The upper bound of TTLs and of the age of served answers. */
  readonly maxAgeMs: number;
  /** Most entries in a namespace. */
  readonly maxEntries: number;
  /** Most bytes of entries in a namespace; undefined: no bound. */
  readonly maxBytes: number | undefined;
  readonly evictionPolicy: EvictionPolicy;
  /** Whether lifetimes follow prompts and answers; see storeCacheEntry. */
  readonly adaptiveTtl: boolean;
  /** After this time a lookup is a miss. */
  readonly lookupDeadlineMs: number;
}
