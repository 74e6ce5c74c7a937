import type { Setting } from "./setting.ts";
import { CACHE } from "./settings/cache.ts";
import { COMPACTION } from "./settings/compaction.ts";
import { EMBEDDING } from "./settings/embedding.ts";
import { ENDPOINTS } from "./settings/endpoints.ts";
import { LIMIT_SETTINGS } from "./settings/limits.ts";
import { MEMORY } from "./settings/memory.ts";
import { PROCESS } from "./settings/process.ts";
import { REDIS } from "./settings/redis.ts";
import { STORAGE } from "./settings/storage.ts";

/** All settings, by the headings of docs/configuration.md. */
export const SECTIONS = {
  Process: PROCESS,
  "Endpoints and access": ENDPOINTS,
  Limits: LIMIT_SETTINGS,
  "Storage and vector search": STORAGE,
  Memory: MEMORY,
  Redis: REDIS,
  Embedding: EMBEDDING,
  Cache: CACHE,
  Compaction: COMPACTION,
} as const;

/** The same in one object; assemble.ts makes the Config of their values. */
export const SETTINGS = {
  ...PROCESS,
  ...ENDPOINTS,
  ...LIMIT_SETTINGS,
  ...STORAGE,
  ...MEMORY,
  ...REDIS,
  ...EMBEDDING,
  ...CACHE,
  ...COMPACTION,
} as const satisfies Record<string, Setting>;

export type SettingKey = keyof typeof SETTINGS;

type ValueOf<S> = S extends Setting<infer T, infer D> ? ([D] extends [undefined] ? T | undefined : T) : never;

/** The value of every setting. */
export type Values = { readonly [K in SettingKey]: ValueOf<(typeof SETTINGS)[K]> };

/** All settings with their keys, for generic code. */
export const ALL_SETTINGS = Object.entries(SETTINGS) as unknown as readonly (readonly [
  SettingKey,
  Setting,
])[];
