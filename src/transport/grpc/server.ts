import type { DescMethod } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import type { Logger } from "pino";
import type { Limits, Listen } from "../../config/config.ts";
import { type Reason, RecollectError } from "../../domain/errors.ts";
import type { Tls } from "../../ports/tls.ts";
import { BindError } from "../bind-error.ts";
import type { RequestReader } from "../bounds/request-reader.ts";
import { methodPath, type ServedService } from "../handler.ts";
import type { Pipeline } from "../pipeline.ts";
import { statusOf } from "../status.ts";
import type { UnfinishedRequests } from "../unfinished-requests.ts";
import { addService, unknownMethod } from "./adapter.ts";
import { type BottomCall, watchArrival } from "./arriving-call.ts";
import { watchConnections } from "./connections.ts";
import { credentialsOf } from "./credentials.ts";
import type { RefuseEarly } from "./early-refusal.ts";
import { endForeignStreams } from "./foreign-streams.ts";
import { GrpcCall } from "./grpc-call.ts";
import type { Health } from "./health.ts";
import { logGrpc } from "./log.ts";
import { addReflection } from "./reflection.ts";

export interface GrpcDoor {
  /** Binds and begins to serve; resolves with the port. Rejects with what stands in the way. */
  start(): Promise<number>;
  /** Lets calls in flight end until the signal aborts, then cuts them off. */
  stop(deadline: AbortSignal): Promise<void>;
}

export interface GrpcDoorOptions {
  readonly log: Logger;
  readonly listen: Listen;
  readonly limits: Limits;
  /** Undefined: in the clear. */
  readonly tls: Tls | undefined;
  readonly services: readonly ServedService[];
  readonly pipeline: Pipeline;
  readonly readerOf: (method: DescMethod) => RequestReader;
  readonly unfinished: UnfinishedRequests;
  readonly health: Health;
  /** Asked for each call before grpc-js sees it. */
  readonly refuseEarly: RefuseEarly;
  /** Called for each call that ended before any handler. */
  readonly onRefused: (path: string, reason: Reason) => void;
  /** Called for each connection that ended before TLS was agreed on. */
  readonly onHandshakeFailed: (error: Error) => void;
}

/** Stands for all paths that no service has. */
const UNKNOWN = "/unknown";

/** Streams are told to come back after this: time enough for a client to find another server. */
const RETRY_AFTER_STOP_MS = 1000;

export function createGrpcDoor(options: GrpcDoorOptions): GrpcDoor {
  const { limits, listen } = options;
  logGrpc(options.log);
  const stopping = new AbortController();
  const methods = new Map(
    options.services.flatMap(({ service }) => service.methods.map((method) => [methodPath(method), method])),
  );
  const server = new grpc.Server({
    "grpc.max_receive_message_length": limits.maxMessageBytes,
    "grpc.max_send_message_length": limits.maxMessageBytes,
    // Unlimited by default. A stream that is open and silent costs memory and no work; work has its own limit, of
    // calls in flight, across all connections.
    "grpc.max_concurrent_streams": limits.maxConcurrentStreams,
    // A peer that no longer answers is gone after 80 s, and so is one that has never sent HTTP/2's preface: it is
    // pinged like any other. Channelz stays on, for forceShutdown needs it.
    "grpc.keepalive_time_ms": 60_000,
    "grpc.keepalive_timeout_ms": 20_000,
    // A peer that answers pings and asks for nothing is let go too. Clients connect again when they call again.
    "grpc.max_connection_idle_ms": limits.connectionIdleMs,
    // The first is the undermost.
    interceptors: [
      watchArrival({
        maxMessageBytes: limits.maxMessageBytes,
        unfinished: options.unfinished,
        arrivalOf: (path: string, call: BottomCall, metadata: grpc.Metadata) => {
          const method = methods.get(path);
          if (method === undefined) return undefined;
          const incoming = new GrpcCall(method, call, metadata);
          return { incoming, running: options.pipeline(incoming) };
        },
        onRefused: options.onRefused,
      }),
      endForeignStreams((path) => methods.has(path), stopping.signal),
    ],
  });
  allowHonestResets(server);
  const connections = watchConnections(server, options.onHandshakeFailed, (call) => {
    const refusal = options.refuseEarly(call);
    if (refusal !== undefined) options.onRefused(call.path, refusal.reason);
    return refusal;
  });
  const { readerOf } = options;
  for (const served of options.services) {
    addService(server, served, {
      readerOf,
      streamIdleMs: limits.streamIdleMs,
      stopping: stopping.signal,
    });
  }
  options.health.addToServer(server);
  addReflection(
    server,
    options.services.map(({ service }) => service),
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
    stop: (deadline) =>
      new Promise((resolve) => {
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
        stopping.abort(
          new RecollectError("SERVER_STOPPING", "the server is stopping", {
            retryAfterMs: RETRY_AFTER_STOP_MS,
          }),
        );
        if (deadline.aborted) force();
      }),
  };
}

/**
 * Node ends a connection whose peer resets more than 1,000 streams and then 33 a second, against floods of resets
 * (CVE-2023-44487). A client whose calls pass their deadline resets each of them too, and honest ones went over
 * that: 400 expiring calls a second killed the connection and everything on it. A call costs this server about a
 * tenth of a millisecond, so that one connection may waste a fifth of a core before it is cut. grpc-js has no option
 * for it; this object, private to the compiler only, goes to `http2.createServer` as it is.
 *
 * It also ends one on which it has rejected 100 streams because the most that may be open were open. An honest client
 * comes there too: it opens the next call as soon as it has reset one, and here the old one is still being cleared away.
 * Every call of the connection then ended as INTERNAL.
 * https://nodejs.org/api/http2.html#http2createserveroptions-onrequesthandler
 */
function allowHonestResets(server: grpc.Server): void {
  Object.assign(server["commonServerOptions"], {
    streamResetBurst: 20_000,
    streamResetRate: 2_000,
    maxSessionRejectedStreams: 1_000_000,
  });
}

/**
 * grpc-js answers unknown paths before anything of ours runs, without ErrorInfo. Its table of handlers is private
 * to the compiler only; looked up through it, every path has a handler, and each behaves as the protocol says.
 */
function answerUnknownMethods(server: grpc.Server, onRefused: GrpcDoorOptions["onRefused"]): void {
  const handlers = server["handlers"];
  const known = handlers.get.bind(handlers);
  handlers.get = (path: string) => {
    const handler = known(path);
    if (handler !== undefined) return handler;
    const refuse = unknownMethod(path, (error) => {
      onRefused(UNKNOWN, "METHOD_UNKNOWN");
      return statusOf(error, "");
    });
    return {
      type: "bidi",
      // What a caller makes up must not become a metric's attribute.
      path: UNKNOWN,
      func: refuse,
      serialize: (value: unknown) => value as Buffer,
      deserialize: (bytes: Buffer) => bytes,
    };
  };
}

function bindAddress({ host, port }: Listen): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
