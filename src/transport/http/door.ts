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
import { type Status, statusOf } from "../status.ts";
import { handshakeOptions } from "../tls.ts";
import { connectErrorBody } from "./complete-errors.ts";

/** Whether the server can do its work now, and if not, what is missing. */
export interface Readiness {
  readonly ready: boolean;
  /** One line a check: `backend: ok`. */
  readonly checks: Readonly<Record<string, string>>;
  /** What an operator should know although the server is ready. */
  readonly warnings: readonly string[];
}

export interface HttpDoor {
  /** Binds and begins to serve; resolves with the port. Rejects with what stands in the way. */
  start(): Promise<number>;
  /** Lets requests in flight end until the signal aborts, then cuts them off. */
  stop(deadline: AbortSignal): Promise<void>;
}

export interface HttpDoorOptions {
  readonly listen: Listen;
  readonly limits: Limits;
  /** Undefined: in the clear. */
  readonly tls: Tls | undefined;
  readonly corsOrigins: readonly string[];
  /** RPCs by path. */
  readonly rpcs: ReadonlyMap<string, UniversalHandler>;
  readonly readiness: () => Promise<Readiness>;
  readonly scrape: (request: IncomingMessage, response: ServerResponse) => void;
  /** Something failed that no answer could be made of. */
  readonly onError: (error: unknown) => void;
  /** Called for each connection that ended before TLS was agreed on. */
  readonly onHandshakeFailed: (error: Error) => void;
}

/** HTTP/1.1: what Kubernetes and Prometheus ask, and the API for curl and browsers. */
export function createHttpDoor(options: HttpDoorOptions): HttpDoor {
  const { limits } = options;
  const settings = {
    // Longer than the 60 s of common load balancers: the side that sends requests should be the one to hang up.
    keepAliveTimeout: 65_000,
    // Peers that trickle. Looked at often enough that the limits mean what they say.
    headersTimeout: limits.httpHeadersMs,
    // A backstop: what is too slow is refused with a reason before (UnfinishedRequests).
    requestTimeout: limits.httpHeadersMs + limits.requestReceiveMs,
    connectionsCheckingInterval: limits.httpHeadersMs / 2,
    // Node's default, said here because it is meant: tokens fit, floods answer 431.
    maxHeaderSize: 16 * 1024,
  };
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    route(options, request, response).catch((error: unknown) => {
      // Nobody is there to answer, and nothing is wrong here: callers come and go.
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
  { tls, limits, onHandshakeFailed }: HttpDoorOptions,
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
 * Which connections answer a request. Node closes those between two requests when a server closes, but waits for
 * those that have not asked for anything yet, as browsers open them in advance, and keeps those whose answer comes
 * later. Returns what closes all of them: now, or after the answer.
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
  options: HttpDoorOptions,
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
      sendJson(response, 404, connectErrorBody("unimplemented", nothingAt(path)));
  }
}

/** What still comes of a request that was answered without it must not stand before the next one of its connection. */
function dropRest(request: IncomingMessage): void {
  if (request.complete) return;
  // Whoever read it has stopped; as long as it listens, nothing flows.
  request.removeAllListeners("readable");
  request.resume();
}

/** A Host header that makes no address is the caller's fault; anything else that arrives here is ours. */
function answerFailure(options: HttpDoorOptions, error: unknown, response: ServerResponse): void {
  const malformed = error instanceof TypeError && "code" in error && error.code === "ERR_INVALID_URL";
  if (!malformed) options.onError(error);
  const known = new RecollectError("REQUEST_MALFORMED", "the Host header is malformed", { cause: error });
  const [code, status] = malformed ? (["invalid_argument", 400] as const) : (["internal", 500] as const);
  sendJson(response, status, connectErrorBody(code, statusOf(malformed ? known : error, "")));
}

function nothingAt(path: string): Status {
  const error = new RecollectError("METHOD_UNKNOWN", "there is nothing at this path", {
    metadata: { method: path },
  });
  return statusOf(error, "");
}

/** CORS is off until origins are named. https://connectrpc.com/docs/cors */
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
