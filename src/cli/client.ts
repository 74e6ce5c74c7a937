import { readFileSync } from "node:fs";
import process from "node:process";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { CompactionService } from "#gen/recollect/v1/compaction_pb.js";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { OperationsService } from "#gen/recollect/v1/operations_pb.js";
import type { GlobalOptions } from "./global-options.ts";
import { UsageError } from "./usage-error.ts";

/** A typed client for each service of one server, over one connection, which dispose closes. */
export interface Clients extends Disposable {
  readonly memory: Client<typeof MemoryService>;
  readonly cache: Client<typeof CacheService>;
  readonly compaction: Client<typeof CompactionService>;
  readonly operations: Client<typeof OperationsService>;
}

type ConnectOptions = Pick<GlobalOptions, "address" | "apiKey" | "tlsCa" | "tlsCert" | "tlsKey">;

/** Longer than the server's own limit for a slow embedding provider (30 s). */
const CALL_TIMEOUT_MS = 60_000;
/** The largest message that the server sends and reads. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/**
 * Makes clients; the connection is opened by the first call. Between calls it does not keep the process alive, so that
 * only a caller that streams requests must dispose: when the server ends such a call while a request is being sent,
 * connect-node 2.2 leaves its stream open, and the process would never end.
 *
 * @throws UsageError when the address is not `host:port`, the key is no valid header value, or a TLS file is invalid.
 */
export function connect({
  address,
  // An empty variable counts as unset, as in the server configuration.
  apiKey = process.env["RECOLLECT_API_KEY"] || undefined,
  tlsCa = process.env["RECOLLECT_TLS_CA_FILE"] || undefined,
  tlsCert = process.env["RECOLLECT_TLS_CERT_FILE"] || undefined,
  tlsKey = process.env["RECOLLECT_TLS_KEY_FILE"] || undefined,
}: ConnectOptions): Clients {
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new UsageError("a certificate needs its key: give both --tls-cert and --tls-key, or neither");
  }
  const files = {
    ...(tlsCa === undefined ? {} : { ca: read("--tls-ca", tlsCa) }),
    ...(tlsCert === undefined ? {} : { cert: read("--tls-cert", tlsCert) }),
    ...(tlsKey === undefined ? {} : { key: read("--tls-key", tlsKey) }),
  };
  const baseUrl = toBaseUrl(address, Object.keys(files).length > 0);
  const connection = new Http2SessionManager(baseUrl, undefined, checked(files));
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager: connection,
    interceptors: apiKey === undefined ? [] : [withApiKey(apiKey)],
    defaultTimeoutMs: CALL_TIMEOUT_MS,
    readMaxBytes: MAX_MESSAGE_BYTES,
    writeMaxBytes: MAX_MESSAGE_BYTES,
  });
  return {
    memory: createClient(MemoryService, transport),
    cache: createClient(CacheService, transport),
    compaction: createClient(CompactionService, transport),
    operations: createClient(OperationsService, transport),
    [Symbol.dispose]: () => {
      // Aborting a connection that has just failed leaves an error event without a listener, which ends the process.
      if (connection.state() !== "connecting") connection.abort();
    },
  };
}

function withApiKey(apiKey: string): Interceptor {
  // Other keys are no valid header value, and the error of the library would contain the key.
  if (!/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new UsageError("the API key (--api-key, RECOLLECT_API_KEY) has invalid characters");
  }
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${apiKey}`);
    return next(request);
  };
}

/** With TLS for an https:// address, or when a TLS file is given. */
function toBaseUrl(address: string, hasFiles: boolean): string {
  const [, scheme = "", bare = ""] = /^(https:\/\/)?(.*)$/s.exec(address) ?? [];
  const url = /:\d+$/.test(bare) ? URL.parse(`http://${bare}`) : null;
  const isBare = url !== null && url.pathname === "/" && url.username === "" && url.search + url.hash === "";
  if (!isBare) {
    throw new UsageError(
      `the address must be host:port, such as localhost:50051, or https://host:port for TLS: ${address}`,
    );
  }
  return `${scheme === "" && !hasFiles ? "http" : "https"}://${bare}`;
}

function read(option: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw new UsageError(`cannot read ${path} (${option}): ${code}`);
  }
}

/** Checks files that would otherwise fail the connection with a less clear error. */
function checked(files: SecureContextOptions): SecureContextOptions {
  try {
    createSecureContext(files);
    return files;
  } catch (error) {
    throw new UsageError(
      `--tls-ca, --tls-cert or --tls-key cannot be used: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
