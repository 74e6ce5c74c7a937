import * as grpc from "@grpc/grpc-js";
import type { Logger } from "pino";
import type { Limits, Listen } from "../../config/config.ts";
import type { Reason } from "../../domain/errors.ts";
import { BindError } from "../bind-error.ts";
import type { ServedService } from "../handler.ts";
import type { Pipeline } from "../pipeline.ts";
import { statusOf } from "../status.ts";
import { addService, unknownMethod } from "./adapter.ts";
import { completeStatus } from "./complete-status.ts";
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
  readonly services: readonly ServedService[];
  readonly pipeline: Pipeline;
  readonly health: Health;
  /** Called for each call that ended before any handler. */
  readonly onRefused: (path: string, reason: Reason) => void;
}

export function createGrpcDoor(options: GrpcDoorOptions): GrpcDoor {
  const { limits, listen } = options;
  logGrpc(options.log);
  const stopping = new AbortController();
  const server = new grpc.Server({
    "grpc.max_receive_message_length": limits.maxMessageBytes,
    "grpc.max_send_message_length": limits.maxMessageBytes,
    "grpc.max_concurrent_streams": limits.maxConcurrentStreams,
    // A peer that no longer answers is gone after this; channelz stays on, for forceShutdown needs it.
    "grpc.keepalive_time_ms": 60_000,
    "grpc.keepalive_timeout_ms": 20_000,
    interceptors: [completeStatus({ maxMessageBytes: limits.maxMessageBytes, onRefused: options.onRefused })],
  });
  for (const served of options.services) addService(server, served, options.pipeline, stopping.signal);
  options.health.addToServer(server);
  addReflection(
    server,
    options.services.map(({ service }) => service),
  );
  answerUnknownMethods(server, options.onRefused);

  return {
    start: () =>
      new Promise((resolve, reject) => {
        server.bindAsync(bindAddress(listen), grpc.ServerCredentials.createInsecure(), (error, port) => {
          if (error === null) resolve(port);
          else reject(new BindError("gRPC", listen, error));
        });
      }),
    stop: (deadline) =>
      new Promise((resolve) => {
        stopping.abort();
        const force = (): void => server.forceShutdown();
        deadline.addEventListener("abort", force, { once: true });
        server.tryShutdown(() => {
          deadline.removeEventListener("abort", force);
          resolve();
        });
      }),
  };
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
      onRefused("/unknown", "METHOD_UNKNOWN");
      return statusOf(error, "");
    });
    return {
      type: "bidi",
      path,
      func: refuse,
      serialize: (value: unknown) => value as Buffer,
      deserialize: (bytes: Buffer) => bytes,
    };
  };
}

function bindAddress({ host, port }: Listen): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
