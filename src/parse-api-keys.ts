import { readYamlRows } from "./config/yaml-rows.ts";
import { type ApiKey, toApiKeys } from "./domain/api-keys.ts";

/** The keys that the text of a keys' file holds, or everything that is wrong with it; never with what it holds. */
export function parseApiKeys(text: string): {
  readonly keys: readonly ApiKey[];
  readonly problems: readonly string[];
} {
  const { rows, problems } = readYamlRows(text);
  return problems.length > 0 ? { keys: [], problems } : toApiKeys(rows);
}
