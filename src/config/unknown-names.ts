import type { Findings } from "./findings.ts";
import { nameOf } from "./setting.ts";
import { ALL_SETTINGS } from "./settings.ts";
import type { Environment, Layer } from "./sources.ts";
import { nearest } from "./spelling.ts";
import type { YamlValue } from "./yaml-file.ts";

/** Variables that are read elsewhere, such as by client commands. */
const ELSEWHERE = ["RECOLLECT_ADDRESS"];

const VARIABLES = [
  ...ALL_SETTINGS.flatMap(([, { env, secret }]) =>
    env === undefined ? [] : secret === undefined ? [env] : [env, `${env}_FILE`],
  ),
  ...ELSEWHERE,
];
const YAML_KEYS = ALL_SETTINGS.flatMap(([, { yaml, yamlToo }]) =>
  [yaml, yamlToo].filter((key) => key !== undefined),
);
/** Names that --set accepts: variables, or YAML paths of settings without one. */
const FLAGS = [...VARIABLES, ...ALL_SETTINGS.map(([, setting]) => nameOf(setting))];

/** Prefixes of names in an .env file that only this program uses. */
const OURS =
  /^(ALLOW_|AUTH_|CACHE_|COMPACTION_|EMBEDDING_|GRPC_(HOST|PORT)|MEMORY_|RECOLLECT_|REDIS_|VECTOR_)/;

export function checkFlags(layer: Layer, findings: Findings): void {
  for (const name of Object.keys(layer.values)) {
    if (!FLAGS.includes(name)) findings.problems.push(unknown(name, layer.name, FLAGS));
  }
}

export function checkYaml(values: ReadonlyMap<string, YamlValue>, path: string, findings: Findings): void {
  for (const [key, { text }] of values) {
    const isEmptySection = text === "" && YAML_KEYS.some((one) => one.startsWith(`${key}.`));
    if (!YAML_KEYS.includes(key) && !isEmptySection) findings.problems.push(unknown(key, path, YAML_KEYS));
  }
}

/**
 * An .env file and the environment are shared with other programs: only names similar to a setting are reported. In the
 * file they are errors; names that only share a prefix are warnings.
 */
export function checkEnvFile(layer: Layer, findings: Findings): void {
  for (const name of strangers(layer.values)) {
    const problem = unknown(name, layer.name, VARIABLES);
    if (nearest(name, VARIABLES) !== undefined) findings.problems.push(problem);
    else if (OURS.test(name)) findings.warnings.push(problem);
  }
}

export function checkEnvironment(layer: Layer, findings: Findings): void {
  for (const name of strangers(layer.values)) {
    if (OURS.test(name) && nearest(name, VARIABLES) !== undefined) {
      findings.warnings.push(unknown(name, layer.name, VARIABLES));
    }
  }
}

function strangers(values: Environment): string[] {
  return Object.keys(values).filter((name) => !VARIABLES.includes(name));
}

function unknown(name: string, source: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  const sections = known.filter((one) => one.startsWith(`${name}.`));
  if (sections.length > 0)
    return `${name} (${source}) is a section: write ${sections.slice(0, 3).join(", ")} …`;
  return `${name} (${source}) is not a setting${meant === undefined ? "; docs/configuration.md lists them" : `: did you mean ${meant}?`}`;
}
