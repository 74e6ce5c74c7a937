import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { parseDocument } from "yaml";
import { ConfigError } from "./config-error.ts";

/** What a setting was found to be, as text, and where. */
export interface Found {
  readonly text: string;
  /** For messages: `environment variable CACHE_ENABLED`, `cache.enabled in config/memory_config.yaml`. */
  readonly source: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** The variables of an .env file; none when there is no such file. Real variables win over them. */
export function readEnvFile(path: string): Environment {
  const content = readIfThere(path);
  return content === undefined ? {} : parseEnv(content);
}

/**
 * The scalars of a YAML file by their path (`cache.default_ttl`), as text; none when there is no such file.
 * `${VAR}` and `${VAR:-default}` are replaced from the environment; what is empty then has an empty text.
 */
export function readYamlFile(path: string, environment: Environment): Map<string, Found> {
  const found = new Map<string, Found>();
  const content = readIfThere(path);
  if (content === undefined) return found;
  const document = parseDocument(content);
  const [error] = document.errors;
  if (error !== undefined) throw new ConfigError([`${path}: ${error.message}`]);
  const visit = (value: unknown, key: string): void => {
    if (value !== null && typeof value === "object") {
      for (const [name, child] of Object.entries(value)) visit(child, key === "" ? name : `${key}.${name}`);
      return;
    }
    const text = substitute(value === null || value === undefined ? "" : String(value), environment);
    found.set(key, { text, source: `${key} in ${path}` });
  };
  const root: unknown = document.toJS();
  if (root === null || root === undefined) return found;
  if (typeof root !== "object") throw new ConfigError([`${path}: must hold sections such as \`cache:\``]);
  visit(root, "");
  return found;
}

/** Replaces ${VAR} and ${VAR:-default}; an unset or empty variable gives the default, or nothing. */
export function substitute(text: string, environment: Environment): string {
  return text.replaceAll(
    /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g,
    (_, name: string, fallback: string | undefined) => {
      const value = environment[name];
      return value === undefined || value === "" ? (fallback ?? "") : value;
    },
  );
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new ConfigError([
      `${path}: cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    ]);
  }
}
