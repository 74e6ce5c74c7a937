import { isDeepStrictEqual } from "node:util";
import { type FileContent, watchFile } from "../adapters/system/watched-file.ts";
import type { Config } from "../config/config.ts";
import { type ApiKey, callerOfKey } from "../domain/access/api-keys.ts";
import type { ApiKeys } from "../ports/api-keys.ts";
import type { OperatorLog } from "../ports/log.ts";
import type { AuthenticationMetrics } from "../ports/metrics.ts";
import { apiKeysError, parseApiKeys, unreadableApiKeys } from "./parse-api-keys.ts";

/** The keys of a file that is read again when it changes. */
export interface ApiKeysFile extends ApiKeys, AsyncDisposable {
  /** Reads the file now; resolves when what it holds is in force, or refused. */
  reload(): Promise<void>;
}

/**
 * Opens the file of AUTH_API_KEYS_FILE and watches it. Rejects with ConfigError when it is wrong now; one that is
 * wrong later changes nothing, and the log and /ready say so.
 */
export async function openApiKeys(
  path: string,
  parts: {
    readonly log: OperatorLog;
    readonly metrics: AuthenticationMetrics;
    /** How often the file is looked at when the system tells of no change. */
    readonly pollMs?: number;
  },
): Promise<ApiKeysFile> {
  const { log, metrics, pollMs } = parts;
  let current: readonly ApiKey[] | undefined;
  /** What is wrong with the file as it is now. */
  let problems: readonly string[] = [];
  const take = (content: FileContent): void => {
    const read = "text" in content ? parseApiKeys(content.text) : unreadableApiKeys(content.error);
    const isNews = !isDeepStrictEqual(read.problems, problems);
    problems = read.problems;
    metrics.apiKeysRefused(problems.length > 0);
    if (problems.length > 0) {
      if (current !== undefined && isNews) log.error({ problems }, REFUSED);
      return;
    }
    // Callers stay the same objects as long as nothing has changed.
    if (isDeepStrictEqual(read.keys, current)) {
      if (isNews) log.info({ keys: read.keys.length }, "API keys as before: the file is right again");
      return;
    }
    const { added, removed } = difference(current ?? [], read.keys);
    current = read.keys;
    metrics.apiKeys(current.length);
    log.info({ keys: current.length, added, removed }, "API keys read");
  };
  const file = watchFile(path, take, pollMs);
  await file.read();
  if (current === undefined) {
    await file[Symbol.asyncDispose]();
    throw apiKeysError(path, problems);
  }
  return {
    callerOf: (key) => callerOfKey(current ?? [], key),
    warnings: () =>
      problems.length === 0
        ? []
        : ["the file of API keys is wrong: the keys that were read before still hold; the log says more"],
    reload: () => file.read(),
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}

const REFUSED = "the file of API keys is wrong: the keys that were read before still hold";

/** Counts rows that are new or changed, and those that are gone or were changed. */
function difference(
  before: readonly ApiKey[],
  after: readonly ApiKey[],
): { readonly added: number; readonly removed: number } {
  const [old, current] = [new Set(before.map(spell)), new Set(after.map(spell))];
  return { added: current.difference(old).size, removed: old.difference(current).size };
}

function spell({ sha256, caller: { tenant, principal, roles, debug } }: ApiKey): string {
  return JSON.stringify([sha256.toString("hex"), tenant, principal, [...roles].sort(), debug]);
}

/** The keys that are asked for; undefined when everyone is let in. */
export async function openConfiguredKeys(
  { auth }: Config,
  parts: Parameters<typeof openApiKeys>[1],
  resources: AsyncDisposableStack,
): Promise<ApiKeysFile | undefined> {
  if (auth.mode === "none") return undefined;
  // Every other mode is refused by the configuration; should one come through, nobody is let in by mistake.
  if (auth.mode !== "api_keys" || auth.apiKeysFile === undefined)
    throw new TypeError("no way to authenticate");
  return resources.use(await openApiKeys(auth.apiKeysFile, parts));
}
