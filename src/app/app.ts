import { CompactionService } from "#gen/recollect/v1/compaction_pb.js";
import { remembered } from "../adapters/decorators/lru-embedder.ts";
import { sleep } from "../adapters/decorators/sleep.ts";
import { switched } from "../adapters/decorators/switched-embedder.ts";
import { createHashingEmbedder } from "../adapters/hashing/embedder.ts";
import { systemClock } from "../adapters/system/clock.ts";
import { createUuidIds } from "../adapters/system/ids.ts";
import { FairWorkQueue } from "../adapters/system/work-queue.ts";
import type { Config } from "../config/config.ts";
import type { Reload } from "../config/reload.ts";
import type { KeptSizes } from "../domain/disk-space.ts";
import { HASHING_MODEL, isBuiltIn } from "../domain/embedding/built-in-models.ts";
import type { Backend } from "../ports/backend.ts";
import type { Clock } from "../ports/clock.ts";
import type { Disk } from "../ports/disk.ts";
import type { Embedder, EmbedderIdentity } from "../ports/embedding/embedder.ts";
import type { ObservedEmbedder } from "../ports/embedding/embedder-status.ts";
import type { OpenedEmbedder, SwitchedEmbedder } from "../ports/embedding/switched-embedder.ts";
import type { Ids } from "../ports/ids.ts";
import type { Log } from "../ports/log.ts";
import type { EmbeddingMeters } from "../ports/metrics.ts";
import type { Sleep } from "../ports/sleep.ts";
import { startBacklogWorker } from "../services/embedding/backlog-worker.ts";
import { startReembeddingRunner } from "../services/embedding/reembedding-runner.ts";
import { openLog } from "../telemetry/logger.ts";
import { openTelemetry } from "../telemetry/telemetry.ts";
import { type Addresses, startServer } from "../transport/server.ts";
import { VERSION } from "../version.ts";
import { type ApiKeysFile, openApiKeys } from "./api-keys.ts";
import { openBackend } from "./backend.ts";
import { configuredIdentity } from "./embedder-identity.ts";
import { logReload } from "./log-reload.ts";
import { openTls, type WatchedTls } from "./tls.ts";

/** What a test may put in the place of the real thing. */
export interface Overrides {
  readonly clock?: Clock;
  readonly ids?: Ids;
  readonly embedder?: Embedder;
  /** What the embedded store asks of its disk. */
  readonly disk?: Disk;
  /** What it keeps back of that for deletions. */
  readonly kept?: KeptSizes;
  /** What the queue of embeddings waits by. */
  readonly sleep?: Sleep;
  /** What is put around the backend that was opened, such as a gate before a method. */
  readonly backend?: (opened: Backend) => Backend;
}

/** A write waits so long for a provider that hangs; then its memory lands without its vector. */
const MAX_EMBEDDING_WAIT_MS = 10_000;

/** A server that can be started once. Disposing it stops it. */
export interface App extends AsyncDisposable {
  /** Opens the store, then the doors; resolves when calls are served. Rejects, with nothing left open, on failure. */
  start(): Promise<void>;
  /** Stops gracefully: not serving, then drain, then close. Resolves when nothing is left open. */
  stop(): Promise<void>;
  /**
   * Takes over what reading the configuration again has changed, and says in the log what that was. What was refused
   * changes nothing, and the log says why. Throws before `start` has resolved.
   */
  reload(reload: Reload): void;
  /** Where the doors listen, with the ports that were really taken. Throws before `start` has resolved. */
  readonly addresses: Addresses;
  /** Resolves when the stored data has been checked, which goes on behind a start. Throws before `start` has resolved. */
  readonly checked: Promise<void>;
}

/**
 * The composition root: makes every part of the configuration and puts them together. The only file that knows
 * adapters and transport together.
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

/** Opens everything in order; the stack closes it in reverse. */
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
      meter: telemetry.instruments,
      disk: overrides.disk,
      kept: overrides.kept,
    }),
  );
  const backend = overrides.backend?.(opened) ?? opened;
  resources.defer(telemetry.instruments.observeBacklog(() => backend.backlog.state(), clock.now));
  let live = config;
  const background = { clock, sleep: overrides.sleep ?? sleep, random: Math.random, log };
  const ids = overrides.ids ?? createUuidIds();
  // After the backend, where they keep what they were given, and so ended before it.
  let onRecovered = (): void => undefined;
  // Also those that a re-embedding opens later: they serve until the server has stopped.
  const embedders = resources.use(new AsyncDisposableStack());
  const open = (identity: EmbedderIdentity): Promise<OpenedEmbedder> =>
    openEmbedder(
      config,
      identity,
      { clock, log, meters: telemetry.instruments, backend, onRecovered: () => onRecovered() },
      embedders,
    );
  const identity = backend.reembedding.identity();
  const embedder =
    identity === undefined ? undefined : switched(overrides.embedder ?? (await open(identity)));
  const runner =
    embedder === undefined
      ? undefined
      : resources.use(startReembeddingRunner({ ...background, store: backend.reembedding, embedder, open }));
  // What is there now may be in the middle of a re-embedding that nobody goes on with.
  backend.onReplaced(() => runner?.run());
  if (embedder !== undefined) {
    const worker = resources.use(startBacklogWorker({ ...background, backlog: backend.backlog, embedder }));
    onRecovered = worker.recovered;
  }
  const work = resources.use(
    new FairWorkQueue({ maxWaiting: config.limits.maxWaitingWork, meter: telemetry.instruments, log }),
  );
  const embedderStatus = (): ReturnType<SwitchedEmbedder["status"]> => embedder?.status();
  const ports = {
    embedder,
    work,
    embeddingWaitMs: Math.min(config.embedding.timeoutMs, MAX_EMBEDDING_WAIT_MS),
    clock,
    ids,
    meters: telemetry.instruments,
    log,
    secret: () => backend.secret.read(),
    settings: () => live.cache,
  };
  const apiKeys = await openKeys(config, { log, meter: telemetry.instruments }, resources);
  const tls = await openCertificates(config, { log, meter: telemetry.instruments, clock }, resources);
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
    work,
    memory: { ...ports, memories: backend.memories, namespaces: backend.namespaces },
    cache: { ...ports, store: backend.cache },
    operations: {
      server: { version: VERSION, startTime: clock.now(), backend },
      indexes: backend.indexes,
      embedder,
      embedderStatus,
      backlog: backend.backlog,
      reembedding: backend.reembedding,
      runner,
      clock,
      ids,
    },
    unserved: [CompactionService],
  });
  resources.defer(() => server.stop());
  return {
    addresses: server.addresses,
    checked: backend.checked,
    reload: (reload) => {
      const known = live.warnings;
      if (reload.kind === "applied") {
        live = reload.running.config;
        void apiKeys?.reload();
        void tls?.reload();
      }
      logReload(log, reload, known);
    },
  };
}

/** The keys that are asked for; undefined when everyone is let in. */
async function openKeys(
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

/** The certificates that the doors show and ask for; undefined when they speak in the clear. */
async function openCertificates(
  { tls: { certFile, keyFile, clientCaFile } }: Config,
  parts: Parameters<typeof openTls>[1],
  resources: AsyncDisposableStack,
): Promise<WatchedTls | undefined> {
  if (certFile === undefined && keyFile === undefined && clientCaFile === undefined) return undefined;
  // The configuration lets none of them through without the others; should it, nothing goes in the clear by mistake.
  if (certFile === undefined || keyFile === undefined) throw new TypeError("half of what TLS needs");
  return resources.use(await openTls({ cert: certFile, key: keyFile, clientCa: clientCaFile }, parts));
}

interface EmbedderParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly meters: EmbeddingMeters;
  readonly backend: Pick<Backend, "embeddings">;
  readonly onRecovered: () => void;
}

/** An embedder of this model, which may be of another provider than the one that is configured: see configured-model.ts. */
async function openEmbedder(
  config: Config,
  identity: EmbedderIdentity,
  parts: EmbedderParts,
  resources: AsyncDisposableStack,
): Promise<OpenedEmbedder> {
  if (isBuiltIn(identity.provider)) return openBuiltInEmbedder(config, identity, parts);
  return openRemoteEmbedder(config, identity, parts, resources);
}

/** Vectors of a built-in embedder that are remembered; the questions that a cache is asked come again and again. */
const REMEMBERED_BYTES = 8 * 1024 * 1024;

async function openBuiltInEmbedder(
  { embedding: { cacheTtlMs: ttlMs } }: Config,
  { provider, dimension }: EmbedderIdentity,
  { clock, meters }: Pick<EmbedderParts, "clock" | "meters">,
): Promise<Embedder> {
  const embedder = await openWithoutMemory(provider, dimension);
  const source = { ...embedder.identity, apiBase: "" };
  return remembered(embedder, { source, ttlMs, maxBytes: REMEMBERED_BYTES, clock, meters });
}

async function openWithoutMemory(provider: string, dimension: number): Promise<Embedder> {
  if (provider === HASHING_MODEL.provider) return createHashingEmbedder(dimension);
  // Read only when it is chosen: 8 MB.
  const { openLocalEmbedder } = await import("../adapters/local/embedder.ts");
  return openLocalEmbedder();
}

/** Makes the embedder of the provider `openai`; asks it nothing, so that a start never depends on it. */
async function openRemoteEmbedder(
  { embedding, cache }: Config,
  { model, dimension }: EmbedderIdentity,
  parts: EmbedderParts,
  resources: AsyncDisposableStack,
): Promise<ObservedEmbedder> {
  const { clock, log, meters, backend, onRecovered } = parts;
  // Read only when it is chosen: the client takes a fifth of a second and 40 MB.
  const [{ createOpenAiEmbedder }, { createResilientEmbedder }] = await Promise.all([
    import("../adapters/openai/embedder.ts"),
    import("../adapters/decorators/resilient-embedder.ts"),
  ]);
  const provider = resources.use(
    createOpenAiEmbedder({
      model,
      dimension,
      apiKey: embedding.apiKey ?? "",
      apiBase: embedding.apiBase,
      apiVersion: embedding.apiVersion ?? "",
      parameters: { encodingFormat: embedding.encodingFormat, dimensions: embedding.dimensions },
      log,
      clock,
      onTokens: meters.embeddingTokens,
    }),
  );
  return resources.use(
    createResilientEmbedder(provider, {
      apiBase: embedding.apiBase,
      batchSize: embedding.batchSize,
      maxRetries: embedding.maxRetries,
      timeoutMs: embedding.timeoutMs,
      lookupTimeoutMs: cache.lookupDeadlineMs,
      cacheTtlMs: embedding.cacheTtlMs,
      cache: backend.embeddings,
      clock,
      random: Math.random,
      log,
      meters,
      onRecovered,
    }),
  );
}
