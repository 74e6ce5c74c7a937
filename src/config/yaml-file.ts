import type { Document } from "yaml";
import type { Findings } from "./findings.ts";
import { masked } from "./setting.ts";
import { ALL_SETTINGS } from "./settings.ts";
import { type Environment, readIfThere } from "./sources.ts";
import { correctHours, correctYaml } from "./typos.ts";
import { BROKEN_ALIAS, parseYaml } from "./yaml-document.ts";

/** One scalar of the YAML file, or a sequence of them. */
export interface YamlValue {
  /** With substituted variables. Empty: unset. The items of a sequence are separated by commas. */
  readonly text: string;
  /** The source text. */
  readonly template: string;
  readonly isList: boolean;
}

/**
 * The values of a YAML file by their path (`cache.default_ttl`); none without the file. Scalars keep their source text:
 * a password of digits keeps its leading zero.
 */
export function readYamlFile(
  path: string,
  environment: Environment,
  findings: Findings,
): ReadonlyMap<string, YamlValue> {
  const values = new Map<string, YamlValue>();
  const content = readIfThere(path, findings);
  if (content === undefined) return values;
  const { document, problems } = parseYaml(correctYaml(content, path, findings.warnings));
  if (problems.length > 0) {
    findings.problems.push(...problems.map((problem) => `${path}, ${problem}`));
    return values;
  }
  const toValue = (template: string, key: string, isList: boolean): YamlValue => ({
    template,
    isList,
    text: substitute(template, environment, (broken) =>
      findings.problems.push(
        `${key} is ${JSON.stringify(shown(key, template))} (${path}): ${shown(key, broken)} is no variable; ` +
          "write $" +
          "{NAME} or $" +
          "{NAME:-default}",
      ),
    ),
  });
  const visit = (value: unknown, key: string): void => {
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) {
      values.set(key, toValue(value.join(","), key, true));
    } else if (value !== null && typeof value === "object") {
      for (const [name, child] of Object.entries(value)) visit(child, key === "" ? name : `${key}.${name}`);
    } else {
      const template = typeof value === "string" && !/^(~|null)$/i.test(value) ? value : "";
      values.set(key, toValue(template, key, false));
    }
  };
  const root = contentOf(document, path, findings);
  if (root !== null && typeof root === "object" && !Array.isArray(root)) visit(root, "");
  else if (root) findings.problems.push(`${path}: must hold sections such as \`cache:\``);
  correctHours(values, path, findings);
  return values;
}

/** The text of a key for messages. */
function shown(key: string, text: string): string {
  const [, setting] = ALL_SETTINGS.find(([, { yaml }]) => yaml === key) ?? [];
  return setting === undefined ? text : masked(setting, text);
}

/** Resolves aliases, which may be undefined or expand exponentially; the parser detects that only here. */
function contentOf(document: Document, path: string, findings: Findings): unknown {
  try {
    return document.toJS();
  } catch {
    // The messages of the parser quote the file.
    findings.problems.push(`${path}: ${BROKEN_ALIAS}`);
    return undefined;
  }
}

/**
 * Replaces ${VAR} and ${VAR:-default}; an unset or empty variable gives the default, or an empty text. A malformed
 * variable stays unchanged, and is reported.
 */
export function substitute(
  text: string,
  environment: Environment,
  onBroken: (broken: string) => void = () => undefined,
): string {
  return text.replaceAll(
    /\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|[^}]*\}?)/g,
    (whole, name: string | undefined, fallback: string | undefined) => {
      if (name === undefined) {
        onBroken(whole);
        return whole;
      }
      return (Object.hasOwn(environment, name) && environment[name]) || (fallback ?? "");
    },
  );
}
