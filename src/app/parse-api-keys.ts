import { ConfigError } from "../config/config-error.ts";
import { readYamlRows } from "../config/yaml-rows.ts";
import { type ApiKey, toApiKeys } from "../domain/access/api-keys.ts";

interface ReadKeys {
  readonly keys: readonly ApiKey[];
  readonly problems: readonly string[];
}

/** Parses the text of a keys' file. Problems never quote the file. */
export function parseApiKeys(text: string): ReadKeys {
  const { rows, problems } = readYamlRows(text);
  return problems.length > 0 ? { keys: [], problems } : toApiKeys(rows);
}

/** The result for a file that could not be read. */
export function unreadableApiKeys(error: unknown): ReadKeys {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  return { keys: [], problems: [`cannot be read (${code})`] };
}

/** The error that stops the start: one line for each problem. */
export function apiKeysError(path: string, problems: readonly string[]): ConfigError {
  return new ConfigError(problems.map((problem) => `AUTH_API_KEYS_FILE, ${path}: ${problem}`));
}
