import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { cors } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { Limits, Listen } from "../../config/config.ts";
import { RecollectError } from "../../domain/errors.ts";
import type { Tls } from "../../ports/tls.ts";
import { BindError } from "../bind-error.ts";
import { peerOf } from "../peer.ts";
import type { Readiness } from "../readiness.ts";
import { type Status, statusOf } from "../status.ts";
import { handshakeOptions } from "../tls.ts";
import { connectErrorBody } from "./complete-errors.ts";

export interface HttpServer {
  /** Binds and begins to serve; resolves with the port. Rejects with BindError. */
  start(): Promise<number>;
  /** Lets requests in flight end until the signal aborts, then cuts their connections. */
  stop(deadline: AbortSignal): Promise<void>;
}

export interface HttpServerOptions {
  readonly listen: Listen;
  readonly limits: Limits;
  /** Undefined: without TLS. */
  readonly tls: Tls | undefined;
  readonly corsOrigins: readonly string[];
  /** RPCs by path. */
  readonly rpcs: ReadonlyMap<string, UniversalHandler>;
  readonly readiness: () => Promise<Readiness>;
  readonly scrape: (request: IncomingMessage, response: ServerResponse) => void;
  /** Called for errors inside the server, outside every call. */
  readonly onError: (error: unknown) => void;
  /** Called for each TLS handshake that fails. */
  readonly onHandshakeFailed: (error: Error) => void;
}

/** HTTP/1.1: /health, /ready and /metrics, and the API for curl and browsers. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { limits } = options;
  const settings = {
    // Longer than the 60 s of common load balancers, so that the side that sends requests closes the connection.
    keepAliveTimeout: 65_000,
    // Against slow senders. Node checks at an interval, 30 s by default; here often enough for these limits.
    headersTimeout: limits.httpHeadersMs,
    // A backstop: UnfinishedRequests refuses slow requests before, with a reason.
    requestTimeout: limits.httpHeadersMs + limits.requestReceiveMs,
    connectionsCheckingInterval: limits.httpHeadersMs / 2,
    // Node's default: tokens fit, and larger headers are answered 431.
    maxHeaderSize: 16 * 1024,
  };
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    route(options, request, response).catch((error: unknown) => {
      // The caller has disconnected, which is no error.
      if (response.destroyed || request.destroyed) return;
      if (response.headersSent) response.destroy();
      else answerFailure(options, error, response);
    });
  };
  const server = listenerOf(options, settings, answer);
  const closeUnused = trackUse(server);
  return {
    start: () =>
      new Promise((resolve, reject) => {
        const refuse = (error: Error): void => reject(new BindError("HTTP", options.listen, error));
        server.once("error", refuse);
        server.listen(options.listen.port, options.listen.host, () => {
          server.off("error", refuse);
          const address = server.address();
          resolve(typeof address === "object" && address !== null ? address.port : 0);
        });
      }),
    stop: (deadline) =>
      new Promise((resolve) => {
        const force = (): void => server.closeAllConnections();
        deadline.addEventListener("abort", force, { once: true });
        server.close(() => {
          deadline.removeEventListener("abort", force);
          resolve();
        });
        closeUnused();
        if (deadline.aborted) force();
      }),
  };
}

function listenerOf(
  { tls, limits, onHandshakeFailed }: HttpServerOptions,
  settings: ServerOptions,
  answer: RequestListener,
): Server {
  if (tls === undefined) return createServer(settings, answer);
  const context = tls.context();
  const server = createTlsServer({ ...settings, ...handshakeOptions(context, limits), ...context }, answer);
  tls.onChange((changed) => server.setSecureContext(changed));
  server.on("tlsClientError", onHandshakeFailed);
  return server;
}

/**
 * Returns a function that closes all connections: unused ones at once, the others after their response. When a server
 * closes, Node closes the connections that are between two requests, but waits for those that have sent none yet, as
 * browsers open them in advance, and keeps those whose response comes later.
 */
function trackUse(server: Server): () => void {
  const unused = new Map<string, Socket>();
  let closing = false;
  server.on("connection", (socket: Socket) => {
    const peer = peerOf(socket);
    unused.set(peer, socket);
    socket.once("close", () => unused.delete(peer));
  });
  server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    const peer = peerOf(socket);
    unused.delete(peer);
    response.once("close", () => {
      if (closing) socket.end();
      else if (!socket.destroyed) unused.set(peer, socket);
    });
  });
  return () => {
    closing = true;
    for (const socket of unused.values()) socket.destroy();
  };
}

async function route(
  options: HttpServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = request.url?.split("?", 1)[0] ?? "/";
  allowOrigin(options.corsOrigins, request, response);
  if (request.method === "OPTIONS") {
    response.writeHead(204).end();
    return;
  }
  const rpc = options.rpcs.get(path);
  if (rpc !== undefined) {
    const answer = await rpc(universalRequestFromNodeRequest(request, response, undefined, undefined));
    response.once("finish", () => dropRest(request));
    await universalResponseToNodeResponse(answer, response);
    return;
  }
  switch (path) {
    case "/health":
      sendJson(response, 200, { status: "alive" });
      return;
    case "/ready": {
      const { ready, checks, warnings } = await options.readiness();
      sendJson(response, ready ? 200 : 503, { status: ready ? "ready" : "not ready", checks, warnings });
      return;
    }
    case "/metrics":
      options.scrape(request, response);
      return;
    default:
      sendJson(response, 404, connectErrorBody("unimplemented", unknownPath(path)));
  }
}

/** Drops the rest of a body whose response has been sent; the next request of the connection comes behind it. */
function dropRest(request: IncomingMessage): void {
  if (request.complete) return;
  // A stream with a "readable" listener does not flow, and the reader has stopped.
  request.removeAllListeners("readable");
  request.resume();
}

/** Answers 400 for a Host header that is no address, and 500 for everything else. */
function answerFailure(options: HttpServerOptions, error: unknown, response: ServerResponse): void {
  const malformed = error instanceof TypeError && "code" in error && error.code === "ERR_INVALID_URL";
  if (!malformed) options.onError(error);
  const malformedHost = new RecollectError("REQUEST_MALFORMED", "the Host header is malformed", {
    cause: error,
  });
  const [code, status] = malformed ? (["invalid_argument", 400] as const) : (["internal", 500] as const);
  sendJson(response, status, connectErrorBody(code, statusOf(malformed ? malformedHost : error, "")));
}

function unknownPath(path: string): Status {
  const error = new RecollectError("METHOD_UNKNOWN", "unknown path", {
    metadata: { method: path },
  });
  return statusOf(error, "");
}

/** CORS is off without configured origins. https://connectrpc.com/docs/cors */
function allowOrigin(origins: readonly string[], request: IncomingMessage, response: ServerResponse): void {
  const { origin } = request.headers;
  if (origin === undefined || !(origins.includes(origin) || origins.includes("*"))) return;
  response.setHeader("Access-Control-Allow-Origin", origin);
  response.setHeader("Vary", "Origin");
  response.setHeader("Access-Control-Expose-Headers", cors.exposedHeaders.join(", "));
  if (request.method !== "OPTIONS") return;
  response.setHeader("Access-Control-Allow-Methods", cors.allowedMethods.join(", "));
  response.setHeader("Access-Control-Allow-Headers", [...cors.allowedHeaders, "Authorization"].join(", "));
  response.setHeader("Access-Control-Max-Age", "7200");
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
}
