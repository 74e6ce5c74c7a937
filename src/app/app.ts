import type { Logger } from "pino";
import { openLexicon } from "../adapters/lexicon/lexicon-file.ts";
import { systemClock } from "../adapters/system/clock.ts";
import { createUuidIds } from "../adapters/system/ids.ts";
import { sleep } from "../adapters/system/sleep.ts";
import { FairWorkQueue } from "../adapters/system/work-queue.ts";
import type { Config } from "../config/config.ts";
import type { Reload } from "../config/reload.ts";
import type { ReservedSizes } from "../domain/disk-space.ts";
import type { Backend } from "../ports/backend.ts";
import type { Clock } from "../ports/clock.ts";
import type { Disk } from "../ports/disk.ts";
import type { Embedder } from "../ports/embedding/embedder.ts";
import type { SwitchedEmbedder } from "../ports/embedding/switched-embedder.ts";
import type { Ids } from "../ports/ids.ts";
import type { Sleep } from "../ports/sleep.ts";
import type { Summarizer } from "../ports/summarizer.ts";
import { FullNamespaces } from "../services/cache/full-namespaces.ts";
import { GuardWatch } from "../services/cache/guard-watch.ts";
import { summaryEraser } from "../services/compaction/erase-sources.ts";
import { openLog } from "../telemetry/logger.ts";
import { openTelemetry } from "../telemetry/telemetry.ts";
import { type Addresses, startServer } from "../transport/server.ts";
import { VERSION } from "../version.ts";
import { openConfiguredKeys } from "./api-keys.ts";
import { openBackend } from "./backend.ts";
import { startCompaction } from "./compaction.ts";
import { configuredIdentity } from "./embedder-identity.ts";
import { startEmbedding } from "./embedding.ts";
import { logReload } from "./log-reload.ts";
import { openConfiguredTls } from "./tls.ts";

/** Replacements for tests. */
export interface Overrides {
  readonly clock?: Clock;
  readonly ids?: Ids;
  readonly embedder?: Embedder;
  /** The disk of the embedded store. */
  readonly disk?: Disk;
  /** Its space reserved for deletions. */
  readonly reserved?: ReservedSizes;
  /** For the pauses of the embedding workers. */
  readonly sleep?: Sleep;
  /** For the pauses of the worker and the scheduler of compactions, and of watches of a compaction. */
  readonly compactionSleep?: Sleep;
  /** The language model of summaries. */
  readonly summarizer?: Summarizer;
  /** For the silence of watches. */
  readonly watchSleep?: Sleep;
  /** Wraps the opened backend, for example with a gate before a method. */
  readonly backend?: (opened: Backend) => Backend;
}

/** How long a write waits for the embedding provider; then its memory is stored as pending. */
const MAX_EMBEDDING_WAIT_MS = 10_000;

/** A server that can be started once. Dispose stops it. */
export interface App extends AsyncDisposable {
  /** Opens the store, then the servers; resolves when calls are served. On failure it closes everything and rejects. */
  start(): Promise<void>;
  /** Stops gracefully: not serving, then drain, then close. Resolves when everything is closed. */
  stop(): Promise<void>;
  /**
   * Applies a reloaded configuration and logs the changes. A refused reload changes nothing, and its problems are logged.
   * Throws before `start` has resolved.
   */
  reload(reload: Reload): void;
  /** The addresses of the servers, with the actual ports. Throws before `start` has resolved. */
  readonly addresses: Addresses;
  /** Resolves when the stored data has been checked, in the background after a start. Throws before `start` has resolved. */
  readonly checked: Promise<void>;
}

/**
 * The composition root: creates all parts from the configuration and connects them. The only file that imports both
 * adapters and transport.
 */
export function createApp(config: Config, overrides: Overrides = {}): App {
  const resources = new AsyncDisposableStack();
  let running: Running | undefined;
  const started = (): Running => {
    if (running === undefined) throw new TypeError("the app has not been started");
    return running;
  };
  const stop = (): Promise<void> => resources.disposeAsync();
  return {
    start: async () => {
      try {
        running = await compose(config, overrides, resources);
      } catch (error) {
        await stop();
        throw error;
      }
    },
    stop,
    reload: (reload) => started().reload(reload),
    get addresses(): Addresses {
      return started().addresses;
    },
    get checked(): Promise<void> {
      return started().checked;
    },
    [Symbol.asyncDispose]: stop,
  };
}

interface Running {
  readonly addresses: Addresses;
  readonly checked: Promise<void>;
  readonly reload: (reload: Reload) => void;
}

/** Opens all parts in order; the stack closes them in reverse. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a list of declarations
async function compose(
  config: Config,
  overrides: Overrides,
  resources: AsyncDisposableStack,
): Promise<Running> {
  const { log } = resources.use(openLog(config.log, config.environment));
  log.info({ backend: config.backend, because: config.backendReason }, "backend chosen");
  const telemetry = resources.use(openTelemetry());
  const clock = overrides.clock ?? systemClock;
  const opened = resources.use(
    await openBackend(config, {
      embedder: overrides.embedder?.identity ?? configuredIdentity(config),
      log,
      metrics: telemetry.instruments,
      disk: overrides.disk,
      reserved: overrides.reserved,
    }),
  );
  const backend = overrides.backend?.(opened) ?? opened;
  resources.defer(
    telemetry.instruments.observePendingMemories(() => backend.pendingMemories.state(), clock.now),
  );
  const apiKeys = await openConfiguredKeys(config, { log, metrics: telemetry.instruments }, resources);
  const tls = await openConfiguredTls(config, { log, metrics: telemetry.instruments, clock }, resources);
  const reloading = reloadable(config, log, [apiKeys, tls]);
  const ids = overrides.ids ?? createUuidIds();
  const { identity, embedder, runner } = await startEmbedding(
    config,
    {
      ...{ clock, log, backend, metrics: telemetry.instruments },
      sleep: overrides.sleep ?? sleep,
      embedder: overrides.embedder,
    },
    resources,
  );
  const work = resources.use(
    new FairWorkQueue({ maxQueued: config.limits.maxWaitingWork, metrics: telemetry.instruments, log }),
  );
  const embedderStatus = (): ReturnType<SwitchedEmbedder["status"]> => embedder?.status();
  const settings = () => reloading.config().cache;
  const guards = new GuardWatch(settings, clock);
  resources.defer(telemetry.instruments.observeGuardOff(() => guards.state()));
  const ports = {
    embedder,
    work,
    embeddingWaitMs: Math.min(config.embedding.timeoutMs, MAX_EMBEDDING_WAIT_MS),
    clock,
    ids,
    metrics: telemetry.instruments,
    log,
    secret: () => backend.secret.read(),
    settings,
  };
  const compaction = await startCompaction(
    config,
    {
      ...ports,
      backend,
      sleep: overrides.compactionSleep ?? sleep,
      summarizer: overrides.summarizer,
    },
    resources,
  );
  const server = await startServer({
    config,
    version: VERSION,
    log,
    telemetry,
    backend,
    sleep,
    apiKeys,
    tls,
    embedder: identity,
    embedderStatus,
    guards,
    work,
    memory: {
      ...ports,
      memories: backend.memories,
      namespaces: backend.namespaces,
      eraseFromSummary: summaryEraser({ ...compaction, memories: backend.memories }),
      sleep: overrides.watchSleep ?? sleep,
      writeGuards: () => reloading.config().writeGuards,
    },
    cache: {
      ...ports,
      store: backend.cache,
      lexicon: await openLexicon(),
      policies: backend.cachePolicies,
      guards,
      fullNamespaces: new FullNamespaces(telemetry.instruments, log),
    },
    operations: {
      server: { version: VERSION, startTime: clock.now(), backend },
      indexes: backend.indexes,
      embedder,
      embedderStatus,
      pendingMemories: backend.pendingMemories,
      reembedding: backend.reembedding,
      runner,
      clock,
      ids,
    },
    compaction,
  });
  resources.defer(() => server.stop());
  return { addresses: server.addresses, checked: backend.checked, reload: reloading.reload };
}

/** The current configuration; a reload also reloads the files of keys and certificates. */
function reloadable(
  config: Config,
  log: Logger,
  files: readonly ({ reload(): Promise<void> } | undefined)[],
): { readonly config: () => Config; readonly reload: (reload: Reload) => void } {
  let current = config;
  return {
    config: () => current,
    reload: (reload) => {
      const loggedWarnings = current.warnings;
      if (reload.kind === "applied") {
        current = reload.running.config;
        for (const file of files) void file?.reload();
      }
      logReload(log, reload, loggedWarnings);
    },
  };
}
