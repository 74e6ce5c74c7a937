import { isDeepStrictEqual } from "node:util";
import { ConfigError } from "./config-error.ts";
import { finish, type Loaded, type LoadOptions, load } from "./load.ts";
import type { Resolved } from "./resolve.ts";
import { nameOf } from "./setting.ts";
import { ALL_SETTINGS, type SettingKey } from "./settings.ts";

/** What reading the configuration again has led to. */
export type Reload =
  | {
      readonly kind: "applied";
      /** What runs from now on. */
      readonly running: Loaded;
      /** What is different from now on: `CACHE_DEFAULT_TTL: 3600 -> 60`; secrets are not shown. */
      readonly changed: readonly string[];
      /** What is different in the sources, but only a restart takes up. */
      readonly needRestart: readonly string[];
    }
  | {
      /** Nothing has changed. */
      readonly kind: "refused";
      readonly problems: readonly string[];
    };

/**
 * Reads all sources again. What can change while the server runs is taken over, the rest stays as it runs; that mix
 * is checked as a whole. Anything wrong, anywhere, changes nothing.
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
    // The warnings of the sources as they are now, typos among them, not those of the mix alone.
    const config = Object.freeze({ ...mixed.config, warnings: next.config.warnings });
    return { kind: "applied", running: { config, settings }, changed, needRestart };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { kind: "refused", problems: error.problems };
  }
}
