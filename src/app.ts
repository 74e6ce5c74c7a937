import { CompactionService } from "#gen/recollect/v1/compaction_pb.js";
import { OperationsService } from "#gen/recollect/v1/operations_pb.js";
import { openEmbeddedBackend } from "./adapters/embedded/backend.ts";
import { createHashingEmbedder } from "./adapters/hashing/embedder.ts";
import { systemClock } from "./adapters/system/clock.ts";
import { createUuidIds } from "./adapters/system/ids.ts";
import type { Config } from "./config/config.ts";
import type { Reload } from "./config/reload.ts";
import { logReload } from "./log-reload.ts";
import type { Clock } from "./ports/clock.ts";
import type { Embedder } from "./ports/embedder.ts";
import type { Ids } from "./ports/ids.ts";
import { openLog } from "./telemetry/logger.ts";
import { openTelemetry } from "./telemetry/telemetry.ts";
import { type Addresses, startServer } from "./transport/server.ts";
import { VERSION } from "./version.ts";

/** What a test may put in the place of the real thing. */
export interface Overrides {
  readonly clock?: Clock;
  readonly ids?: Ids;
  readonly embedder?: Embedder;
}

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
  const { log } = resources.use(openLog({ ...config.log, environment: config.environment }));
  log.info({ backend: config.backend, because: config.backendReason }, "backend chosen");
  const telemetry = resources.use(openTelemetry());
  const embedder = config.vectorSearch.enabled
    ? (overrides.embedder ?? createHashingEmbedder(config.vectorSearch.dimension))
    : undefined;
  const backend = resources.use(
    await openEmbeddedBackend({
      directory: config.dataDir,
      embedder: embedder?.identity,
      log,
      meter: telemetry.instruments,
    }),
  );
  let live = config;
  const ports = {
    embedder,
    clock: overrides.clock ?? systemClock,
    ids: overrides.ids ?? createUuidIds(),
    meters: telemetry.instruments,
    log,
    secret: backend.secret,
    settings: () => live.cache,
  };
  const server = await startServer({
    config,
    version: VERSION,
    log,
    telemetry,
    backend,
    embedder: embedder?.identity,
    memory: { ...ports, store: backend.memories, namespaces: backend.namespaces },
    cache: { ...ports, store: backend.cache },
    unserved: [CompactionService, OperationsService],
  });
  resources.defer(() => server.stop());
  return {
    addresses: server.addresses,
    checked: backend.checked,
    reload: (reload) => {
      const known = live.warnings;
      if (reload.kind === "applied") live = reload.running.config;
      logReload(log, reload, known);
    },
  };
}
