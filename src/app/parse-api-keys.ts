import { ConfigError } from "../config/config-error.ts";
import { readYamlRows } from "../config/yaml-rows.ts";
import { type ApiKey, toApiKeys } from "../domain/access/api-keys.ts";

interface ReadKeys {
  readonly keys: readonly ApiKey[];
  readonly problems: readonly string[];
}

/** The keys that the text of a keys' file holds, or everything that is wrong with it; never with what it holds. */
export function parseApiKeys(text: string): ReadKeys {
  const { rows, problems } = readYamlRows(text);
  return problems.length > 0 ? { keys: [], problems } : toApiKeys(rows);
}

/** What a file holds that could not be read. */
export function unreadableApiKeys(error: unknown): ReadKeys {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  return { keys: [], problems: [`cannot be read (${code})`] };
}

/** What stops the start: each problem of this file. */
export function apiKeysError(path: string, problems: readonly string[]): ConfigError {
  return new ConfigError(problems.map((problem) => `AUTH_API_KEYS_FILE, ${path}: ${problem}`));
}
