import { isDeepStrictEqual } from "node:util";
import { type FileContent, watchFile } from "../adapters/system/watched-file.ts";
import type { Config } from "../config/config.ts";
import { type ApiKey, callerOfKey } from "../domain/access/api-keys.ts";
import { Listeners } from "../lib/listeners.ts";
import type { ApiKeys } from "../ports/api-keys.ts";
import type { OperatorLog } from "../ports/log.ts";
import type { AuthenticationMetrics } from "../ports/metrics.ts";
import { apiKeysError, parseApiKeys, unreadableApiKeys } from "./parse-api-keys.ts";

/** The keys of a file that is reloaded when it changes. */
export interface ApiKeysFile extends ApiKeys, AsyncDisposable {
  /** Reads the file now; resolves when its content is in use, or refused. */
  reload(): Promise<void>;
}

/**
 * Opens the file of AUTH_API_KEYS_FILE and watches it. Rejects with ConfigError when it is invalid; a later invalid version
 * is not used, and the log and /ready report it.
 */
async function openApiKeys(
  path: string,
  parts: {
    readonly log: OperatorLog;
    readonly metrics: AuthenticationMetrics;
    /** See watchFile. */
    readonly pollMs?: number;
  },
): Promise<ApiKeysFile> {
  const { log, metrics, pollMs } = parts;
  let current: readonly ApiKey[] | undefined;
  const changed = new Listeners();
  /** Errors of the current file. */
  let problems: readonly string[] = [];
  const onContent = (content: FileContent): void => {
    const read = "text" in content ? parseApiKeys(content.text) : unreadableApiKeys(content.error);
    const hasChanged = !isDeepStrictEqual(read.problems, problems);
    problems = read.problems;
    metrics.apiKeysRefused(problems.length > 0);
    if (problems.length > 0) {
      if (current !== undefined && hasChanged) log.error({ problems }, REFUSED);
      return;
    }
    // Unchanged keys keep their caller objects (see ApiKeys.callerOf).
    if (isDeepStrictEqual(read.keys, current)) {
      if (hasChanged) log.info({ keys: read.keys.length }, "API keys unchanged: the file is valid again");
      return;
    }
    const { added, removed } = difference(current ?? [], read.keys);
    current = read.keys;
    metrics.apiKeys(current.length);
    log.info({ keys: current.length, added, removed }, "API keys read");
    changed.notify();
  };
  const file = watchFile(path, onContent, pollMs);
  await file.read();
  if (current === undefined) {
    await file[Symbol.asyncDispose]();
    throw apiKeysError(path, problems);
  }
  return {
    callerOf: (key) => callerOfKey(current ?? [], key),
    onChange: (listener) => changed.add(listener),
    warnings: () =>
      problems.length === 0
        ? []
        : ["the file of API keys is invalid: the previous keys stay in use; see the log"],
    reload: () => file.read(),
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}

const REFUSED = "the file of API keys is invalid: the previous keys stay in use";

/** Counts added and removed rows; a changed row counts as both. */
function difference(
  before: readonly ApiKey[],
  after: readonly ApiKey[],
): { readonly added: number; readonly removed: number } {
  const [old, current] = [new Set(before.map(identityOf)), new Set(after.map(identityOf))];
  return { added: current.difference(old).size, removed: old.difference(current).size };
}

function identityOf({ sha256, caller: { tenant, principal, roles, debug } }: ApiKey): string {
  return JSON.stringify([sha256.toString("hex"), tenant, principal, [...roles].sort(), debug]);
}

/** Opens the configured keys; undefined when calls need no credential. */
export async function openConfiguredKeys(
  { auth }: Config,
  parts: Parameters<typeof openApiKeys>[1],
  resources: AsyncDisposableStack,
): Promise<ApiKeysFile | undefined> {
  if (auth.mode === "none") return undefined;
  // The configuration rejects other modes before; checked again, so that no server runs without authentication by mistake.
  if (auth.mode !== "api_keys" || auth.apiKeysFile === undefined)
    throw new TypeError("unknown authentication mode, or no key file");
  return resources.use(await openApiKeys(auth.apiKeysFile, parts));
}
