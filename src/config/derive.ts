import type { Resolved } from "./resolve.ts";
import { nameOf } from "./setting.ts";
import { COMPACTION } from "./settings/compaction.ts";
import { SETTINGS, type SettingKey, type Values } from "./settings.ts";

/** Settings whose default is derived from others. */
type DerivedKey =
  | "logFormat"
  | "grpcHost"
  | "httpHost"
  | "backend"
  | "redisHost"
  | "embeddingProvider"
  | "embeddingApiBase"
  | "vectorDimension"
  | "cacheAlignedThreshold"
  | "cacheDefaultTtl"
  | "cacheIndexName"
  | "compactionLevel"
  | "compactionLlmApiBase";

/** The value of every setting, including derived defaults. */
export type Settled = Omit<Values, DerivedKey> & {
  readonly [K in DerivedKey]: NonNullable<Values[K]>;
};

/** A derived default and its origin. `chosen`: another setting implies it explicitly. */
interface Derived<T> {
  readonly value: T;
  readonly because: string;
  readonly chosen?: boolean;
}

/** Default dimension; for `local` the only one. */
export const DEFAULT_DIMENSIONS = { openai: 1536, local: 256, hashing: 384 } as const;
/** Minimum of the default similarity threshold over all models (src/domain/cache/default-thresholds.ts). */
export const LOWEST_DEFAULT_THRESHOLD = 0.85;
export const ALIGNED_THRESHOLD = 0.5;
export const DEFAULT_TTL_SECONDS = 3600;
const DEFAULT_API_BASE = "https://api.openai.com/v1";
const COMPACTION_KEYS = (Object.keys(COMPACTION) as SettingKey[]).filter((key) => key !== "compactionLevel");

/** Sets the defaults that are derived from other settings. */
export function derive(settings: Map<SettingKey, Resolved>, terminal: boolean): void {
  const get = <K extends SettingKey>(key: K): Values[K] => settings.get(key)?.value as Values[K];
  const chosen = (key: SettingKey): boolean => settings.get(key)?.chosen === true;
  const said = (key: SettingKey): string => `${nameOf(SETTINGS[key])}=${settings.get(key)?.shown ?? ""}`;
  const fill = <K extends DerivedKey>(key: K, make: () => Derived<NonNullable<Values[K]>>): void => {
    const before = settings.get(key);
    if (before?.value !== undefined) return;
    const { value, because, chosen: asked = false } = make();
    const source = because === "" ? "default" : `default, because ${because}`;
    settings.set(key, { value, shown: String(value), source, chosen: asked && before?.wrong !== true });
  };
  /** The first of the settings that is set. */
  const firstSet = (...keys: SettingKey[]): string | undefined => {
    const key = keys.find(chosen);
    return key === undefined ? undefined : `${nameOf(SETTINGS[key])} is set`;
  };

  fill("logFormat", () =>
    terminal
      ? { value: "text", because: "the log goes to a terminal" }
      : { value: "json", because: "the log goes to no terminal" },
  );
  for (const host of ["grpcHost", "httpHost"] as const) {
    fill(host, () => ({
      value: get("authMode") === "none" ? "127.0.0.1" : "0.0.0.0",
      because: said("authMode"),
    }));
  }
  fill("backend", () => {
    const because = firstSet("redisUrl", "redisHost", "redisNodes");
    return because === undefined
      ? { value: "embedded", because: "none of REDIS_HOST, REDIS_URL and REDIS_NODES is set" }
      : { value: "redis", because, chosen: true };
  });
  fill("redisHost", () => ({ value: "localhost", because: "" }));
  fill("embeddingProvider", () => {
    const because = firstSet("embeddingApiKey", "embeddingApiBase");
    return because === undefined
      ? { value: "local", because: "neither EMBEDDING_API_KEY nor EMBEDDING_API_BASE is set" }
      : { value: "openai", because, chosen: true };
  });
  fill("embeddingApiBase", () => ({ value: DEFAULT_API_BASE, because: "" }));
  fill("compactionLlmApiBase", () => ({
    value: get("embeddingApiBase") ?? DEFAULT_API_BASE,
    because: said("embeddingApiBase"),
  }));
  fill("vectorDimension", () => ({
    value: DEFAULT_DIMENSIONS[get("embeddingProvider") ?? "local"],
    because: said("embeddingProvider"),
  }));
  fill("cacheAlignedThreshold", () => {
    const threshold = get("cacheSimilarityThreshold");
    return threshold !== undefined && threshold < ALIGNED_THRESHOLD
      ? { value: threshold, because: said("cacheSimilarityThreshold") }
      : { value: ALIGNED_THRESHOLD, because: "" };
  });
  fill("cacheDefaultTtl", () => {
    const maxAge = get("cacheMaxAge");
    return maxAge < DEFAULT_TTL_SECONDS
      ? { value: maxAge, because: said("cacheMaxAge") }
      : { value: DEFAULT_TTL_SECONDS, because: "" };
  });
  fill("compactionLevel", () => {
    const because = firstSet(...COMPACTION_KEYS);
    return because === undefined
      ? { value: "light", because: "no other setting of compactions is set" }
      : { value: "moderate", because };
  });
  fill("cacheIndexName", () => ({
    value: `${get("vectorIndexName")}:cache`,
    because: said("vectorIndexName"),
  }));
}

export function valuesOf(settings: ReadonlyMap<SettingKey, Resolved>): Settled {
  return Object.fromEntries([...settings].map(([key, { value }]) => [key, value])) as unknown as Settled;
}
