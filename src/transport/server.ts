import type { DescService } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import type { Config, Listen } from "../config/config.ts";
import type { Reason } from "../domain/errors.ts";
import type { ApiKeys } from "../ports/api-keys.ts";
import type { Backend } from "../ports/backend.ts";
import type { EmbedderIdentity } from "../ports/embedding/embedder.ts";
import type { ObservedEmbedder } from "../ports/embedding/embedder-status.ts";
import type { Sleep } from "../ports/sleep.ts";
import type { Tls } from "../ports/tls.ts";
import type { WorkQueue } from "../ports/work-queue.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { watchBackend } from "./backend-watch.ts";
import { createRequestReaders } from "./bounds/request-reader.ts";
import { createHealth } from "./grpc/health.ts";
import { createGrpcDoor } from "./grpc/server.ts";
import { type ServedService, serve } from "./handler.ts";
import { type CachePorts, cacheHandlers } from "./handlers/cache/index.ts";
import { type MemoryPorts, memoryHandlers } from "./handlers/memory/index.ts";
import { type OperationsPorts, operationsHandlers } from "./handlers/operations/index.ts";
import { createConnectHandlers } from "./http/connect.ts";
import { createHttpDoor, type Readiness } from "./http/door.ts";
import { admission } from "./middleware/admission.ts";
import { authentication, byApiKey, everyone } from "./middleware/authentication.ts";
import { authorization } from "./middleware/authorization.ts";
import { overload, refuseOverload } from "./middleware/overload.ts";
import { telemetry } from "./middleware/telemetry.ts";
import { validation } from "./middleware/validation.ts";
import { createPipeline } from "./pipeline.ts";
import { CODE_OF_REASON } from "./status.ts";
import { UnfinishedRequests } from "./unfinished-requests.ts";
import { warmUpLookups, warmUpRequests } from "./warm-up.ts";

/** Where the doors listen. */
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
  /** What looking at the backend now and then waits by. */
  readonly sleep: Sleep;
  /** Undefined: everyone is let in. */
  readonly apiKeys: ApiKeys | undefined;
  /** Undefined: both doors speak in the clear. */
  readonly tls: Tls | undefined;
  /** Undefined: vector search is switched off. */
  readonly embedder: EmbedderIdentity | undefined;
  /** Undefined: the embedder asks nobody. */
  readonly embedderStatus: () => ReturnType<ObservedEmbedder["status"]> | undefined;
  /** Where heavy work waits for its turn. */
  readonly work: WorkQueue;
  readonly memory: MemoryPorts;
  readonly cache: CachePorts;
  readonly operations: OperationsPorts;
  /** Services of the API without any handler yet. */
  readonly unserved: readonly DescService[];
}

/** Opens both doors over the same handlers. Rejects, with neither open, when one cannot be opened. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { config, log, backend } = options;
  const services: readonly ServedService[] = [
    memoryHandlers(options.memory),
    cacheHandlers(options.cache),
    operationsHandlers(options.operations),
    ...options.unserved.map((service) => serve(service, {})),
  ];
  const { apiKeys, tls } = options;
  const authenticate = apiKeys === undefined ? everyone : byApiKey(apiKeys);
  // Outermost first. What they throw is mapped to a status by the pipeline itself, around all of them.
  const pipeline = createPipeline([
    telemetry(log, options.telemetry.instruments),
    authentication(authenticate),
    authorization,
    overload(options.work),
    admission(config.limits, options.telemetry.instruments),
    validation,
  ]);
  const readerOf = createRequestReaders();
  const unfinished = new UnfinishedRequests(config.limits);
  const names = services.map(({ service }) => service.typeName);
  const health = createHealth(names);
  /** Calls that a library refuses before the pipeline sees them are counted and logged all the same. */
  const refusedAt = (door: "grpc" | "http") => (method: string, reason: Reason, text?: string) => {
    options.telemetry.instruments.callEnded(method, CODE_OF_REASON[reason], door, 0);
    options.telemetry.instruments.callFailed(reason, door);
    const line = { method, code: CODE_OF_REASON[reason], reason, door };
    if (reason === "INTERNAL")
      log.error({ ...line, text }, "call failed outside its handler Latency: 0.00 ms");
    else if (reason === "SERVER_OVERLOADED")
      log.debug(line, "call refused before its handler Latency: 0.00 ms");
    else log.info(line, "call refused before its handler Latency: 0.00 ms");
  };
  /** Whoever reaches the port can cause these, as often as they like. */
  const handshakeFailedAt = (door: "grpc" | "http") => (error: Error) =>
    log.debug({ door, code: "code" in error ? error.code : undefined }, "TLS handshake failed");
  const grpc = createGrpcDoor({
    log,
    listen: config.grpc,
    limits: config.limits,
    tls,
    services,
    pipeline,
    readerOf,
    unfinished,
    health,
    refuseEarly: refuseOverload(options.work, authenticate),
    onRefused: refusedAt("grpc"),
    onHandshakeFailed: handshakeFailedAt("grpc"),
  });

  let state: "starting" | "serving" | "stopping" = "starting";
  const warnings = warningsOf(config);
  options.telemetry.instruments.openToEveryone(isOpenToEveryone(config));
  const cut = new AbortController();
  const http = createHttpDoor({
    listen: config.http,
    limits: config.limits,
    tls,
    corsOrigins: config.http.corsOrigins,
    rpcs: createConnectHandlers({
      services,
      pipeline,
      readerOf,
      unfinished,
      maxMessageBytes: config.limits.maxMessageBytes,
      onRefused: refusedAt("http"),
      stopping: cut.signal,
    }),
    readiness: () =>
      readinessOf(state, backend, [
        ...warnings,
        ...(apiKeys?.warnings() ?? []),
        ...(tls?.warnings() ?? []),
        ...embedderWarnings(options.embedderStatus()),
      ]),
    scrape: options.telemetry.scrape,
    onError: (error) => log.error({ err: error }, "HTTP request failed"),
    onHandshakeFailed: handshakeFailedAt("http"),
  });

  warmUpLookups();
  const httpPort = await http.start();
  let grpcPort: number;
  try {
    grpcPort = await grpc.start();
  } catch (error) {
    await http.stop(AbortSignal.abort());
    unfinished.close();
    throw error;
  }
  const addresses = {
    grpc: { host: config.grpc.host, port: grpcPort },
    http: { host: config.http.host, port: httpPort },
  };
  state = "serving";
  warmUpRequests(services);
  health.set(["", ...names], "SERVING");
  // Answers from the cache can do without the backend: a lookup misses, and the caller goes on.
  const needing = ["", ...names.filter((name) => name !== CacheService.typeName)];
  const watching = watchBackend({
    check: () => backend.check(),
    sleep: options.sleep,
    elapsed: () => performance.now(),
    onChange: (there) => {
      if (state !== "serving") return;
      health.set(needing, there ? "SERVING" : "NOT_SERVING");
      if (there) log.warn("the backend is there again");
      else log.error("the backend has been away for ten seconds: memories are reported as not serving");
    },
  });
  for (const warning of warnings) log.warn(warning);
  log.info(
    {
      version: options.version,
      grpc: `${addresses.grpc.host}:${grpcPort}`,
      http: `${addresses.http.host}:${httpPort}`,
      backend: backend.name,
      embedder: options.embedder ?? "none",
      authentication: config.auth.mode,
      tls: tls === undefined ? "none" : tls.context().ca === undefined ? "server" : "server and clients",
    },
    "serving",
  );

  return {
    addresses,
    stop: async () => {
      state = "stopping";
      await watching[Symbol.asyncDispose]();
      health.set(["", ...names], "NOT_SERVING");
      log.info("stopping: not serving any more, waiting for probes to notice");
      await new Promise((resolve) => setTimeout(resolve, config.limits.probePeriodMs));
      const deadline = AbortSignal.timeout(config.limits.drainMs);
      await Promise.all([grpc.stop(deadline), http.stop(deadline)]);
      cut.abort();
      unfinished.close();
      log.info("stopped");
    },
  };
}

async function readinessOf(
  state: "starting" | "serving" | "stopping",
  backend: Backend,
  warnings: readonly string[],
): Promise<Readiness> {
  const checks: Record<string, string> = { server: state };
  try {
    await backend.check();
    checks[`backend ${backend.name}`] = "ok";
  } catch (error) {
    checks[`backend ${backend.name}`] = error instanceof Error ? error.message : "does not answer";
    return { ready: false, checks, warnings };
  }
  return {
    ready: state === "serving",
    checks,
    warnings: [...warnings, ...backend.risks(), ...backend.damage()],
  };
}

/** What an operator should know of the embedding provider; readiness does not depend on it. */
function embedderWarnings(status: ReturnType<ObservedEmbedder["status"]> | undefined): string[] {
  return Object.entries(status ?? {}).flatMap(([urgency, { state, since, lastFailure }]) =>
    state === "CLOSED"
      ? []
      : [
          `the embedding provider is not asked for each ${urgency.toLowerCase()}: ${state} since ` +
            `${new Date(since).toISOString()}, last failure ${lastFailure?.toLowerCase() ?? "unknown"}`,
        ],
  );
}

function isOpenToEveryone({ auth }: Config): boolean {
  return auth.mode === "none" && auth.allowUnauthenticated;
}

/** What an operator should know although nothing is wrong; in the log and in /ready. */
function warningsOf(config: Config): string[] {
  const warnings: string[] = [...config.warnings];
  if (isOpenToEveryone(config)) {
    warnings.push("AUTH_MODE=none: everyone who reaches this server may read and write everything in it");
  }
  if (config.vectorSearch.enabled && config.embedding.provider === "hashing") {
    warnings.push("the embedder is `hashing`: it finds the same wording, not the same meaning");
  }
  return warnings;
}
