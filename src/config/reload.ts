import { isDeepStrictEqual } from "node:util";
import { ConfigError } from "./config-error.ts";
import { finish, type Loaded, type LoadOptions, load } from "./load.ts";
import type { Resolved } from "./resolve.ts";
import { nameOf } from "./setting.ts";
import { ALL_SETTINGS, type SettingKey } from "./settings.ts";

/** The result of a reload. */
export type Reload =
  | {
      readonly kind: "applied";
      /** The new configuration. */
      readonly running: Loaded;
      /** Applied changes: `CACHE_DEFAULT_TTL: 3600 -> 60`; without secrets. */
      readonly changed: readonly string[];
      /** Changes that need a restart. */
      readonly needRestart: readonly string[];
    }
  | {
      /** Nothing has changed. */
      readonly kind: "refused";
      readonly problems: readonly string[];
    };

/**
 * Reads all sources again. Reloadable settings are applied, others stay; the resulting combination is checked as a
 * whole. Any error in any source leaves the configuration unchanged.
 */
export function reload(running: Loaded, options: LoadOptions): Reload {
  try {
    const next = load(options);
    const settings = new Map<SettingKey, Resolved>();
    const changed: string[] = [];
    const needRestart: string[] = [];
    for (const [key, setting] of ALL_SETTINGS) {
      const before = running.settings.get(key) as Resolved;
      const after = next.settings.get(key) as Resolved;
      settings.set(key, setting.reloadable ? after : before);
      if (isDeepStrictEqual(before.value, after.value)) continue;
      const shown = setting.secret === undefined ? `: ${before.shown} -> ${after.shown}` : "";
      (setting.reloadable ? changed : needRestart).push(`${nameOf(setting)}${shown}`);
    }
    const findings = { problems: [], warnings: [] };
    const mixed = finish(settings, findings, options.notYet);
    // The warnings of the current sources, including typos, not only those of the resulting combination.
    const config = Object.freeze({ ...mixed.config, warnings: next.config.warnings });
    return { kind: "applied", running: { config, settings }, changed, needRestart };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { kind: "refused", problems: error.problems };
  }
}
