import { describe } from "./combinations.ts";
import type { Settled } from "./derive.ts";
import type { Findings } from "./findings.ts";
import type { ResolvedSettings } from "./resolve.ts";
import { nameOf } from "./setting.ts";
import { SETTINGS, type SettingKey } from "./settings.ts";

/** A valid choice that this version does not support. */
export interface NotYet {
  readonly settings: readonly SettingKey[];
  /** The unsupported values; undefined: any. */
  readonly values?: readonly unknown[];
  /** Only with this backend; undefined: with any. */
  readonly backend?: "embedded" | "redis";
  /** Refused when ignoring it would be unsafe or change the service; otherwise a warning. */
  readonly refused: boolean;
  /** The remedy, or the actual behaviour. */
  readonly instead: string;
}

/**
 * Unsupported choices, so that none is silently ignored. Delete a row with the feature that implements it. Defaults
 * cause no message.
 */
export const NOT_YET: readonly NotYet[] = [
  {
    settings: ["vectorAlgorithm"],
    backend: "embedded",
    values: ["FLAT"],
    refused: false,
    instead: "the embedded store compares exactly where that is fast, and else walks a graph",
  },
  {
    settings: ["hnswM", "hnswEfConstruction", "hnswEfRuntime"],
    backend: "embedded",
    refused: false,
    instead: "the graph of the embedded store has parameters of its own",
  },
];

/** Reports every unsupported choice. */
export function checkNotYet(
  table: readonly NotYet[],
  settings: ResolvedSettings,
  values: Settled,
  findings: Findings,
): void {
  for (const { settings: keys, values: choices, backend, refused, instead } of table) {
    if (backend !== undefined && values.backend !== backend) continue;
    const made = keys.filter(
      (key) => settings.get(key)?.chosen === true && (choices === undefined || choices.includes(values[key])),
    );
    const [first] = made;
    if (first === undefined) continue;
    if (refused) {
      for (const key of made) {
        findings.problems.push(`${describe(key, settings)}: not in this version; ${instead}`);
      }
      continue;
    }
    const said =
      made.length === 1
        ? describe(first, settings)
        : `${made.map((key) => nameOf(SETTINGS[key])).join(", ")} are set`;
    findings.warnings.push(`${said}: not in this version; ${instead}`);
  }
}

/** A note for the documentation of a setting; empty when this version supports it completely. */
export function notYetNote(key: SettingKey): string[] {
  return NOT_YET.filter(({ settings }) => settings.includes(key)).map(
    ({ values, backend, refused, instead }) => {
      const which = values === undefined ? "" : ` (${values.join(", ")})`;
      const where = backend === undefined ? "" : ` with the backend ${backend}`;
      return `Not in this version${which}${where}: ${refused ? "refused" : instead}.`;
    },
  );
}

/** Whether this version does not support the value, also when it is the default. */
export function notYet(key: SettingKey, value: unknown): boolean {
  return NOT_YET.some(({ settings, values }) => settings.includes(key) && values?.includes(value) === true);
}
