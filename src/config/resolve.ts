import type { Findings } from "./findings.ts";
import { masked, nameOf, type Setting } from "./setting.ts";
import { ALL_SETTINGS, type SettingKey } from "./settings.ts";
import { type Layer, readSecret } from "./sources.ts";
import type { YamlValue } from "./yaml-file.ts";

/** The value of a setting, and its source. */
export interface Resolved {
  readonly value: unknown;
  /** The value for display: as written, secrets masked. */
  readonly shown: string;
  /** `environment`, `.env`, the YAML file …, `default`, or the origin of a derived default. */
  readonly source: string;
  /** Set by a source; false for a default. */
  readonly chosen: boolean;
  /** A source has an invalid value, which has been reported; the default is used. */
  readonly wrong?: true;
}

export type ResolvedSettings = ReadonlyMap<SettingKey, Resolved>;

/** Sources by descending precedence; the YAML file is the last one. */
export interface Sources {
  readonly layers: readonly Layer[];
  readonly yamlPath: string;
  readonly yaml: ReadonlyMap<string, YamlValue>;
}

interface Found {
  readonly name: string;
  readonly text: string;
  readonly source: string;
  readonly isList: boolean;
}

/** The value of every setting; an invalid one is reported and replaced by its default, so that the rest is checked. */
export function resolve(sources: Sources, findings: Findings): Map<SettingKey, Resolved> {
  return new Map(ALL_SETTINGS.map(([key, setting]) => [key, resolveOne(setting, sources, findings)]));
}

/** The same for one setting. */
export function resolveOne(setting: Setting, sources: Sources, findings: Findings): Resolved {
  const found = find(setting, sources, findings);
  if (found === undefined) return byDefault(setting);
  const { kind } = setting;
  const value = found.isList && kind.list !== true ? undefined : kind.read(found.text);
  const shown = masked(setting, found.text);
  if (value !== undefined) return { value, shown, source: found.source, chosen: true };
  const hint = kind.hint?.(found.text);
  const expected = `must be ${kind.expects}${hint === undefined ? "" : ` (${hint})`}`;
  findings.problems.push(`${found.name} is ${JSON.stringify(shown)} (${found.source}): ${expected}`);
  return { ...byDefault(setting), wrong: true };
}

function byDefault({ fallback, unset }: Setting): Resolved {
  return {
    value: fallback,
    shown: String(fallback ?? unset ?? "none") || "none",
    source: "default",
    chosen: false,
  };
}

function find(setting: Setting, sources: Sources, findings: Findings): Found | undefined {
  for (const layer of sources.layers) {
    const found = findInLayer(setting, layer, findings);
    if (found !== undefined) return found;
  }
  return findInYaml(setting, sources, findings);
}

function findInLayer(
  setting: Setting,
  { name: source, values }: Layer,
  findings: Findings,
): Found | undefined {
  const name = nameOf(setting);
  const text = values[name];
  const variable = `${name}_FILE`;
  const path = setting.secret === undefined ? undefined : values[variable];
  if (path === undefined) return text === undefined ? undefined : { name, text, source, isList: false };
  if (text !== undefined) {
    findings.problems.push(`${name} and ${variable} are both set (${source}): set one of them`);
  }
  const secret = readSecret(variable, path, findings);
  return { name, text: secret ?? text ?? "", source: `${source}, file ${path}`, isList: false };
}

function findInYaml(setting: Setting, { yaml, yamlPath }: Sources, findings: Findings): Found | undefined {
  const [first, second] = [setting.yaml, setting.yamlToo].flatMap((name) => {
    const value = name === undefined ? undefined : yaml.get(name);
    return name === undefined || value === undefined || value.text === ""
      ? []
      : [{ name, source: yamlPath, ...value }];
  });
  if (first === undefined || second === undefined) return first;
  if (setting.kind.read(first.text) !== setting.kind.read(second.text)) {
    findings.problems.push(
      `${first.name} is ${JSON.stringify(first.text)} and ${second.name} is ${JSON.stringify(second.text)} ` +
        `(${yamlPath}): they are one setting; write the same, or one of them`,
    );
  }
  return first;
}
