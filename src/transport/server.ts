import { setTimeout } from "node:timers/promises";
import type { DescMethod } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import type { Config, Listen } from "../config/config.ts";
import { serverStopping } from "../domain/errors.ts";
import type { ApiKeys } from "../ports/api-keys.ts";
import type { Backend } from "../ports/backend.ts";
import type { EmbedderIdentity } from "../ports/embedding/embedder.ts";
import type { ObservedEmbedder } from "../ports/embedding/embedder-status.ts";
import type { Sleep } from "../ports/sleep.ts";
import type { Tls } from "../ports/tls.ts";
import type { WorkQueue } from "../ports/work-queue.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { watchBackend } from "./backend-watch.ts";
import { createRequestReaders, type RequestReader } from "./bounds/request-reader.ts";
import { createHealth, type Health } from "./grpc/health.ts";
import { createGrpcServer, type GrpcServer } from "./grpc/server.ts";
import type { ServedService } from "./handler.ts";
import { type CachePorts, cacheHandlers } from "./handlers/cache/index.ts";
import { type CompactionPorts, compactionHandlers } from "./handlers/compaction/index.ts";
import { type MemoryPorts, memoryHandlers } from "./handlers/memory/index.ts";
import { type OperationsPorts, operationsHandlers } from "./handlers/operations/index.ts";
import { createConnectHandlers } from "./http/connect.ts";
import { createHttpServer, type HttpServer } from "./http/server.ts";
import { admission } from "./middleware/admission.ts";
import {
  type Authenticator,
  anonymousAuthenticator,
  apiKeyAuthenticator,
  authentication,
} from "./middleware/authentication.ts";
import { authorization } from "./middleware/authorization.ts";
import { overload, refuseOverload } from "./middleware/overload.ts";
import { recordRefused, telemetry } from "./middleware/telemetry.ts";
import { validation } from "./middleware/validation.ts";
import { Watches } from "./middleware/watches.ts";
import { createPipeline, type Pipeline } from "./pipeline.ts";
import { configWarnings, isOpenToEveryone, readinessOf, type ServerState } from "./readiness.ts";
import { UnfinishedRequests } from "./unfinished-requests.ts";
import { warmUpLookups, warmUpRequests } from "./warm-up.ts";

/** Addresses of the gRPC server and the HTTP server. */
export interface Addresses {
  readonly grpc: Listen;
  readonly http: Listen;
}

export interface Server {
  readonly addresses: Addresses;
  stop(): Promise<void>;
}

export interface ServerOptions {
  readonly config: Config;
  readonly version: string;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly backend: Backend;
  /** Interval between two checks of the backend. */
  readonly sleep: Sleep;
  /** Undefined: AUTH_MODE=none, every caller is anonymous and may do everything. */
  readonly apiKeys: ApiKeys | undefined;
  /** Undefined: both servers serve without TLS. */
  readonly tls: Tls | undefined;
  /** Undefined: vector search is switched off. */
  readonly embedder: EmbedderIdentity | undefined;
  /** Undefined when the embedder calls no provider. */
  readonly embedderStatus: () => ReturnType<ObservedEmbedder["status"]> | undefined;
  /** Where the guard of the cache is off. */
  readonly guards: { warnings(): readonly string[] };
  /** The queue of searches, lists and writes. */
  readonly work: WorkQueue;
  readonly memory: MemoryPorts;
  readonly cache: CachePorts;
  readonly operations: OperationsPorts;
  readonly compaction: CompactionPorts;
}

/** Dependencies of both the gRPC server and the HTTP server. */
interface Shared {
  readonly services: readonly ServedService[];
  readonly authenticate: Authenticator;
  readonly pipeline: Pipeline;
  readonly readerOf: (method: DescMethod) => RequestReader;
  readonly unfinished: UnfinishedRequests;
  readonly watches: Watches;
}

/** Starts the gRPC server and the HTTP server over the same handlers. Rejects, with neither listening, when one fails. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { config, log, telemetry } = options;
  const shared = createShared(options);
  const names = shared.services.map(({ service }) => service.typeName);
  const health = createHealth(names);
  let state: ServerState = "starting";
  const cut = new AbortController();
  const grpc = grpcServer(options, shared, health);
  const http = httpServer(options, shared, () => state, cut.signal);
  telemetry.instruments.openToEveryone(isOpenToEveryone(config));
  warmUpLookups(options.cache.lexicon);
  const addresses = await listen(config, grpc, http, shared.unfinished);

  state = "serving";
  warmUpRequests(shared.services);
  health.set(["", ...names], "SERVING");
  const watching = reportBackend(options, names, health, () => state === "serving");
  logStart(options, addresses);

  return {
    addresses,
    stop: async () => {
      state = "stopping";
      await watching[Symbol.asyncDispose]();
      health.set(["", ...names], "NOT_SERVING");
      log.info("stopping: reporting NOT_SERVING before draining");
      await setTimeout(config.limits.probePeriodMs);
      shared.watches.endAll(serverStopping());
      const deadline = AbortSignal.timeout(config.limits.drainMs);
      await Promise.all([grpc.stop(deadline), http.stop(deadline)]);
      cut.abort();
      shared.unfinished.close();
      log.info("stopped");
    },
  };
}

function createShared(options: ServerOptions): Shared {
  const { config, log, telemetry: opened, apiKeys } = options;
  const authenticate = apiKeys === undefined ? anonymousAuthenticator : apiKeyAuthenticator(apiKeys);
  const watches = new Watches(config.limits, authenticate);
  apiKeys?.onChange(() => watches.checkAgain());
  return {
    watches,
    services: [
      memoryHandlers(options.memory),
      cacheHandlers(options.cache),
      operationsHandlers(options.operations),
      compactionHandlers(options.compaction),
    ],
    authenticate,
    // Outermost first. The pipeline itself maps what they throw to a status.
    pipeline: createPipeline([
      telemetry(log, opened.instruments),
      authentication(authenticate),
      authorization,
      overload(options.work),
      watches.middleware,
      admission(config.limits, opened.instruments),
      validation,
    ]),
    readerOf: createRequestReaders(),
    unfinished: new UnfinishedRequests(config.limits),
  };
}

function grpcServer(options: ServerOptions, shared: Shared, health: Health): GrpcServer {
  const { config, log, telemetry, tls, work } = options;
  const { authenticate, ...common } = shared;
  return createGrpcServer({
    ...common,
    log,
    listen: config.grpc,
    limits: config.limits,
    tls,
    health,
    refuseEarly: refuseOverload(work, authenticate),
    onRefused: recordRefused(log, telemetry.instruments, "grpc"),
    onHandshakeFailed: logFailedHandshake(log, "grpc"),
  });
}

/** `cut` aborts calls in flight when the server no longer waits for them. */
function httpServer(
  options: ServerOptions,
  shared: Shared,
  state: () => ServerState,
  cut: AbortSignal,
): HttpServer {
  const { config, log, telemetry, tls } = options;
  return createHttpServer({
    listen: config.http,
    limits: config.limits,
    tls,
    corsOrigins: config.http.corsOrigins,
    rpcs: createConnectHandlers({
      ...shared,
      maxMessageBytes: config.limits.maxMessageBytes,
      onRefused: recordRefused(log, telemetry.instruments, "http"),
      stopping: cut,
    }),
    readiness: () => readinessOf(state(), options),
    scrape: telemetry.scrape,
    onError: (error) => log.error({ err: error }, "HTTP request failed"),
    onHandshakeFailed: logFailedHandshake(log, "http"),
  });
}

/** At DEBUG, because any client of the port can cause failed handshakes at any rate. */
function logFailedHandshake(log: Logger, transport: "grpc" | "http"): (error: Error) => void {
  return (error) =>
    log.debug({ transport, code: "code" in error ? error.code : undefined }, "TLS handshake failed");
}

/** Resolves with the addresses and the ports that were bound. When the second server fails, the first is stopped. */
async function listen(
  config: Config,
  grpc: GrpcServer,
  http: HttpServer,
  unfinished: UnfinishedRequests,
): Promise<Addresses> {
  const httpPort = await http.start();
  try {
    const grpcPort = await grpc.start();
    return {
      grpc: { host: config.grpc.host, port: grpcPort },
      http: { host: config.http.host, port: httpPort },
    };
  } catch (error) {
    await http.stop(AbortSignal.abort());
    unfinished.close();
    throw error;
  }
}

/** Reports all services but the cache as NOT_SERVING while the backend is unavailable; until disposed. */
function reportBackend(
  { backend, log, sleep }: ServerOptions,
  names: readonly string[],
  health: Health,
  isServing: () => boolean,
): AsyncDisposable {
  // CacheService stays SERVING: its lookups miss without the backend, and callers continue.
  const needing = ["", ...names.filter((name) => name !== CacheService.typeName)];
  return watchBackend({
    check: () => backend.check(),
    sleep,
    elapsed: () => performance.now(),
    onChange: (there) => {
      if (!isServing()) return;
      health.set(needing, there ? "SERVING" : "NOT_SERVING");
      if (there) log.warn("the backend is available again");
      else
        log.error(
          "the backend has been unavailable for ten seconds: all services but the cache report NOT_SERVING",
        );
    },
  });
}

function logStart(options: ServerOptions, { grpc, http }: Addresses): void {
  const { config, log, backend, embedder, tls, guards, version } = options;
  for (const warning of [...configWarnings(config), ...guards.warnings()]) log.warn(warning);
  log.info(
    {
      version,
      grpc: `${grpc.host}:${grpc.port}`,
      http: `${http.host}:${http.port}`,
      backend: backend.name,
      embedder: embedder ?? "none",
      authentication: config.auth.mode,
      tls: tls === undefined ? "none" : tls.context().ca === undefined ? "server" : "server and clients",
    },
    "serving",
  );
}
