import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { cors } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { Listen } from "../../config/config.ts";
import { BindError } from "../bind-error.ts";

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
  readonly corsOrigins: readonly string[];
  /** RPCs by path. */
  readonly rpcs: ReadonlyMap<string, UniversalHandler>;
  readonly readiness: () => Promise<Readiness>;
  readonly scrape: (request: IncomingMessage, response: ServerResponse) => void;
  /** Something failed that no answer could be made of. */
  readonly onError: (error: unknown) => void;
}

/** HTTP/1.1: what Kubernetes and Prometheus ask, and the API for curl and browsers. */
export function createHttpDoor(options: HttpDoorOptions): HttpDoor {
  const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
    route(options, request, response).catch((error: unknown) => {
      options.onError(error);
      if (!response.headersSent) sendJson(response, 500, { code: "internal", message: "internal error" });
      else response.destroy();
    });
  });
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
        server.closeIdleConnections();
      }),
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
      sendJson(response, 404, { code: "unimplemented", message: "there is nothing at this path" });
  }
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
