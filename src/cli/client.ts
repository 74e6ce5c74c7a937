import process from "node:process";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { OperationsService } from "#gen/recollect/v1/operations_pb.js";
import type { GlobalOptions } from "./global-options.ts";
import { UsageError } from "./usage-error.ts";

/** A typed client for each service of one server, over one connection. */
export interface Clients {
  readonly memory: Client<typeof MemoryService>;
  readonly cache: Client<typeof CacheService>;
  readonly operations: Client<typeof OperationsService>;
}

/** Longer than the server's own limit for a slow embedding provider (30 s). */
const CALL_TIMEOUT_MS = 60_000;
/** The largest message that the server sends and reads. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/**
 * Makes clients; the connection is opened by the first call. It needs no closing: between calls it does not keep
 * the process alive. (Closing a connection that has just failed makes connect-node 2.2 leave an error event
 * without a listener, which ends the process.)
 *
 * @throws UsageError when the address is not `host:port`, or the key is none that can be sent.
 */
export function connect({
  address,
  // An empty variable means unset, as for the server's own.
  apiKey = process.env["RECOLLECT_API_KEY"] || undefined,
}: Pick<GlobalOptions, "address" | "apiKey">): Clients {
  const transport = createGrpcTransport({
    baseUrl: toBaseUrl(address),
    interceptors: apiKey === undefined ? [] : [withApiKey(apiKey)],
    defaultTimeoutMs: CALL_TIMEOUT_MS,
    readMaxBytes: MAX_MESSAGE_BYTES,
    writeMaxBytes: MAX_MESSAGE_BYTES,
  });
  return {
    memory: createClient(MemoryService, transport),
    cache: createClient(CacheService, transport),
    operations: createClient(OperationsService, transport),
  };
}

function withApiKey(apiKey: string): Interceptor {
  // Anything else is no header, and the error of the library would show it.
  if (!/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new UsageError("the API key (--api-key, RECOLLECT_API_KEY) has characters that no key has");
  }
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${apiKey}`);
    return next(request);
  };
}

function toBaseUrl(address: string): string {
  const url = /:\d+$/.test(address) ? URL.parse(`http://${address}`) : null;
  const isBare = url !== null && url.pathname === "/" && url.username === "" && url.search + url.hash === "";
  if (!isBare) throw new UsageError(`the address must be host:port, such as localhost:50051: ${address}`);
  return `http://${address}`;
}
