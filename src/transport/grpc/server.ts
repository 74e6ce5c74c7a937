import type { DescMethod } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import type { Logger } from "pino";
import type { Limits, Listen } from "../../config/config.ts";
import { type Reason, serverStopping } from "../../domain/errors.ts";
import type { Tls } from "../../ports/tls.ts";
import { BindError } from "../bind-error.ts";
import type { RequestReader } from "../bounds/request-reader.ts";
import { methodPath, type ServedService } from "../handler.ts";
import type { Pipeline } from "../pipeline.ts";
import { statusOf } from "../status.ts";
import type { UnfinishedRequests } from "../unfinished-requests.ts";
import { addService, unknownMethod } from "./adapter.ts";
import { watchArrival } from "./arriving-call.ts";
import { type Connections, watchConnections } from "./connections.ts";
import { credentialsOf } from "./credentials.ts";
import type { RefuseEarly } from "./early-refusal.ts";
import { GrpcCall } from "./grpc-call.ts";
import type { Health } from "./health.ts";
import { handleUnknownPaths, setHttp2Options } from "./internals.ts";
import { endLibraryStreams } from "./library-streams.ts";
import { logGrpc } from "./log.ts";
import { addReflection } from "./reflection.ts";

export interface GrpcServer {
  /** Binds and begins to serve; resolves with the port. Rejects with BindError. */
  start(): Promise<number>;
  /** Lets calls in flight end until the signal aborts, then cuts their connections. */
  stop(deadline: AbortSignal): Promise<void>;
}

export interface GrpcServerOptions {
  readonly log: Logger;
  readonly listen: Listen;
  readonly limits: Limits;
  /** Undefined: without TLS. */
  readonly tls: Tls | undefined;
  readonly services: readonly ServedService[];
  readonly pipeline: Pipeline;
  readonly readerOf: (method: DescMethod) => RequestReader;
  readonly unfinished: UnfinishedRequests;
  readonly health: Health;
  /** Called for each call before grpc-js sees it. */
  readonly refuseEarly: RefuseEarly;
  /** Called for each call that ended before any handler. */
  readonly onRefused: (path: string, reason: Reason) => void;
  /** Called for each TLS handshake that fails. */
  readonly onHandshakeFailed: (error: Error) => void;
}

/** The path in metrics and logs for calls of unknown paths, whose number is unbounded. */
const UNKNOWN = "/unknown";

export function createGrpcServer(options: GrpcServerOptions): GrpcServer {
  const { limits, listen, services } = options;
  logGrpc(options.log);
  const stopping = new AbortController();
  const server = new grpc.Server({
    ...channelOptions(limits),
    interceptors: interceptorsOf(options, stopping.signal),
  });
  allowHonestResets(server);
  const connections = watchConnections(server, options.onHandshakeFailed, (call) => {
    const refusal = options.refuseEarly(call);
    if (refusal !== undefined) options.onRefused(call.path, refusal.reason);
    return refusal;
  });
  const serving = {
    readerOf: options.readerOf,
    streamIdleMs: limits.streamIdleMs,
    stopping: stopping.signal,
  };
  for (const served of services) addService(server, served, serving);
  options.health.addToServer(server);
  addReflection(
    server,
    services.map(({ service }) => service),
  );
  answerUnknownMethods(server, options.onRefused);

  return {
    start: () =>
      new Promise((resolve, reject) => {
        server.bindAsync(bindAddress(listen), credentialsOf(options.tls, limits), (error, port) => {
          if (error === null) resolve(port);
          else reject(new BindError("gRPC", listen, error));
        });
      }),
    stop: (deadline) => stop(server, connections, stopping, deadline),
  };
}

/** https://github.com/grpc/grpc-node/tree/master/packages/grpc-js#supported-channel-options */
function channelOptions(limits: Limits): grpc.ServerOptions {
  return {
    "grpc.max_receive_message_length": limits.maxMessageBytes,
    "grpc.max_send_message_length": limits.maxMessageBytes,
    // Unlimited by default. An open and silent stream costs memory and no work; work has its own limit, of calls in
    // flight over all connections.
    "grpc.max_concurrent_streams": limits.maxConcurrentStreams,
    // A peer that does not answer is disconnected after 80 s, and so is one that has never sent HTTP/2's preface, for it
    // gets pings too. Channelz stays on, because forceShutdown needs it.
    "grpc.keepalive_time_ms": 60_000,
    "grpc.keepalive_timeout_ms": 20_000,
    // A peer that answers pings and makes no calls is disconnected too. Clients reconnect with their next call.
    "grpc.max_connection_idle_ms": limits.connectionIdleMs,
  };
}

/** The first one is the closest to the connection. */
function interceptorsOf(options: GrpcServerOptions, stopping: AbortSignal): grpc.ServerInterceptor[] {
  const methods = new Map(
    options.services.flatMap(({ service }) => service.methods.map((method) => [methodPath(method), method])),
  );
  return [
    watchArrival({
      maxMessageBytes: options.limits.maxMessageBytes,
      unfinished: options.unfinished,
      arrivalOf: (path, call, metadata) => {
        const method = methods.get(path);
        if (method === undefined) return undefined;
        const incoming = new GrpcCall(method, call, metadata);
        return { incoming, running: options.pipeline(incoming) };
      },
      onRefused: options.onRefused,
    }),
    endLibraryStreams((path) => methods.has(path), stopping),
  ];
}

/** Lets calls in flight end until the deadline aborts; ends streams at once, with SERVER_STOPPING. */
function stop(
  server: grpc.Server,
  connections: Connections,
  stopping: AbortController,
  deadline: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const force = (): void => {
      server.forceShutdown();
      connections.cut();
    };
    deadline.addEventListener("abort", force, { once: true });
    server.tryShutdown(() => {
      deadline.removeEventListener("abort", force);
      resolve();
    });
    connections.cutBeginning();
    stopping.abort(serverStopping());
    if (deadline.aborted) force();
  });
}

/**
 * Raises two limits of node:http2 that honest clients reach, for which grpc-js has no options.
 *
 * Node ends a connection whose peer resets more than 1,000 streams and then 33 a second, against floods of resets
 * (CVE-2023-44487). A client resets each call that passes its deadline, too: 400 expiring calls a second ended the
 * connection and everything on it. A call costs this server about a tenth of a millisecond, so that one connection may
 * waste a fifth of a core before it is closed.
 *
 * Node also ends a connection on which it has rejected 100 streams because the most that may be open were open. A client
 * reaches that when it opens the next call as soon as it has reset one, while the server is still clearing that away;
 * every call of the connection then ended as INTERNAL.
 * https://nodejs.org/api/http2.html#http2createserveroptions-onrequesthandler
 */
function allowHonestResets(server: grpc.Server): void {
  setHttp2Options(server, {
    streamResetBurst: 20_000,
    streamResetRate: 2_000,
    maxSessionRejectedStreams: 1_000_000,
  });
}

/** Answers METHOD_UNKNOWN with its ErrorInfo, in place of the bare UNIMPLEMENTED of grpc-js. */
function answerUnknownMethods(server: grpc.Server, onRefused: GrpcServerOptions["onRefused"]): void {
  handleUnknownPaths(server, (path) => ({
    path: UNKNOWN,
    func: unknownMethod(path, (error) => {
      onRefused(UNKNOWN, "METHOD_UNKNOWN");
      return statusOf(error, "");
    }),
  }));
}

function bindAddress({ host, port }: Listen): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
