import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { UsageError } from "./usage-error.ts";

/** A connection to a server with a typed client for each service. Dispose it, or the process lingers. */
export interface Connection extends Disposable {
  readonly memory: Client<typeof MemoryService>;
  readonly cache: Client<typeof CacheService>;
}

/** Longer than the server's own limit for a slow embedding provider (30 s). */
const CALL_TIMEOUT_MS = 60_000;
/** The largest message that the server sends. */
const READ_MAX_BYTES = 16 * 1024 * 1024;

/**
 * Opens a connection lazily: nothing is sent before the first call.
 *
 * @throws UsageError when the address is not `host:port`.
 */
export function connect(address: string): Connection {
  const baseUrl = toBaseUrl(address);
  const sessions = new Http2SessionManager(baseUrl);
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager: sessions,
    defaultTimeoutMs: CALL_TIMEOUT_MS,
    readMaxBytes: READ_MAX_BYTES,
  });
  return {
    memory: createClient(MemoryService, transport),
    cache: createClient(CacheService, transport),
    [Symbol.dispose]: () => {
      sessions.abort();
    },
  };
}

function toBaseUrl(address: string): string {
  const url = /:\d+$/.test(address) ? URL.parse(`http://${address}`) : null;
  const isBare = url !== null && url.pathname === "/" && url.username === "" && url.search + url.hash === "";
  if (!isBare) throw new UsageError(`the address must be host:port, such as localhost:50051: ${address}`);
  return `http://${address}`;
}
