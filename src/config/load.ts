import { assemble } from "./assemble.ts";
import { checkCombinations, describe } from "./combinations.ts";
import type { Config } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import { derive, valuesOf } from "./derive.ts";
import type { Findings } from "./findings.ts";
import { checkNotYet, NOT_YET, type NotYet } from "./not-yet.ts";
import { type ResolvedSettings, resolve, resolveOne } from "./resolve.ts";
import { SETTINGS } from "./settings.ts";
import { type Environment, layerOf, readEnvFile } from "./sources.ts";
import { correctNames } from "./typos.ts";
import { checkEnvFile, checkEnvironment, checkFlags, checkYaml } from "./unknown-names.ts";
import { readYamlFile } from "./yaml-file.ts";

export interface LoadOptions {
  /** Usually process.env. */
  readonly env: Environment;
  /** Path of an .env file; environment variables take precedence. Undefined: none is read. */
  readonly envFile?: string;
  /** Values of the command line, which take precedence over all sources; by variable, or by YAML path without one. */
  readonly flags?: Environment;
  /** Whether the log goes to a terminal. */
  readonly terminal?: boolean;
  /** Unsupported choices; for tests. */
  readonly notYet?: readonly NotYet[];
}

/** The configuration, and the source of each value. */
export interface Loaded {
  readonly config: Config;
  readonly settings: ResolvedSettings;
}

/** The configuration alone; see `load`. */
export function loadConfig(options: LoadOptions): Config {
  return load(options).config;
}

/**
 * The configuration: flags over environment over .env over YAML over defaults. An empty value counts as unset, a
 * missing file is no error. Throws ConfigError with all errors.
 */
export function load(options: LoadOptions): Loaded {
  const findings: Findings = { problems: [], warnings: [] };
  const { envFile, env, flags = {}, terminal = false, notYet = NOT_YET } = options;
  const given = {
    flags: layerOf("command line", flags),
    env: correctNames(layerOf("environment", env), findings.warnings),
    file: correctNames(
      layerOf(envFile ?? ".env", envFile === undefined ? {} : readEnvFile(envFile, findings)),
      findings.warnings,
    ),
  };
  checkFlags(given.flags, findings);
  checkEnvironment(given.env, findings);
  checkEnvFile(given.file, findings);

  const layers = [given.flags, given.env, given.file];
  const merged = Object.assign({}, ...layers.map(({ values }) => values).reverse()) as Environment;
  const yamlPath = resolveOne(SETTINGS.configFile, { layers, yamlPath: "", yaml: new Map() }, findings)
    .value as string;
  const yaml = readYamlFile(yamlPath, merged, findings);
  checkYaml(yaml, yamlPath, findings);
  const settings = resolve({ layers, yamlPath, yaml }, findings);
  derive(settings, terminal);
  return finish(settings, findings, notYet);
}

/** Checks combinations and assembles the Config. Throws ConfigError with all errors. */
export function finish(
  settings: ResolvedSettings,
  findings: Findings,
  notYet: readonly NotYet[] = NOT_YET,
): Loaded {
  const values = valuesOf(settings);
  checkCombinations(settings, values, findings);
  checkNotYet(notYet, settings, values, findings);
  if (findings.problems.length > 0) throw new ConfigError(findings.problems);
  const config = assemble(values, {
    backendReason: describe("backend", settings),
    warnings: findings.warnings,
    embedderByDefault: settings.get("embeddingProvider")?.chosen !== true,
  });
  return { config, settings };
}
