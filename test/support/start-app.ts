import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SecureContextOptions } from "node:tls";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { CompactionService } from "#gen/recollect/v1/compaction_pb.js";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { OperationsService } from "#gen/recollect/v1/operations_pb.js";
import { createApp, type Overrides } from "../../src/app/app.ts";
import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Environment } from "../../src/config/sources.ts";
import { keysFile, type TestKey } from "./api-keys.ts";
import { backendSettings } from "./backend-of-run.ts";
import { embedderSettings } from "./embedder-of-tests.ts";
import { expectClosed, expectNoOpenFiles, watchLeaks } from "./leaks.ts";
import { SMALL_RESERVED_SPACE } from "./small-reserved-space.ts";

/** The real server, composed as in production, on free ports and its own data (see backend-of-run.ts), with typed clients. */
export interface TestApp extends AsyncDisposable {
  readonly memory: Client<typeof MemoryService>;
  readonly cache: Client<typeof CacheService>;
  readonly compaction: Client<typeof CompactionService>;
  readonly operations: Client<typeof OperationsService>;
  /** `127.0.0.1:50051`, for clients that speak gRPC themselves. */
  readonly grpcAddress: string;
  /** `http://127.0.0.1:8000`, without a slash; https:// with TLS. */
  readonly httpUrl: string;
  readonly dataDir: string;
  /** Resolves when the self-check of the stored data has finished. */
  readonly checked: Promise<void>;
  /** Stops the server like a signal; its data stays until the app is disposed. */
  stop(): Promise<void>;
}

export interface TestAppOptions {
  /** Settings in addition to the isolating ones: ports, data directory, a quiet log. */
  readonly env?: Environment;
  /** Without one of its own, an embedded store keeps back 1 MiB for deletions. */
  readonly overrides?: Overrides;
  /** Changes parts of the loaded configuration that have no variable. */
  readonly configure?: (config: Config) => Config;
  /** Requires one of these keys: AUTH_MODE=api_keys. */
  readonly apiKeys?: readonly TestKey[];
  /** TLS options of the typed clients; the files of the server are set by variables. */
  readonly tls?: SecureContextOptions;
  /** Data directory that outlives the app. */
  readonly dataDir?: string;
}

/** Changes limits that have no variable; for `configure`. */
export function withLimits(limits: Partial<Config["limits"]>): (config: Config) => Config {
  return (config) => ({ ...config, limits: { ...config.limits, ...limits } });
}

/** Starts a server; disposing it stops the server, deletes its data, and fails on leaked resources. */
export async function startApp(options: TestAppOptions = {}): Promise<TestApp> {
  await using cleanup = new AsyncDisposableStack();
  const dataDir = options.dataDir ?? (await temporaryDirectory(cleanup));
  const { apiKeys } = options;
  const auth = apiKeys === undefined ? {} : await authentication(apiKeys, cleanup);
  const loaded = loadConfig({
    env: {
      ...backendSettings(dataDir),
      GRPC_PORT: "0",
      HTTP_PORT: "0",
      LOG_LEVEL: "fatal",
      ...embedderSettings(options.env ?? {}),
      ...auth,
      ...options.env,
    },
  });
  // The server of a test has no probes, so a stop needs no delay.
  const config = { ...loaded, limits: { ...loaded.limits, probePeriodMs: 0 } };
  // Disposed in reverse order: these checks run when everything else is closed.
  cleanup.defer(watchLeaks());
  let ports: readonly number[] = [];
  // The start may have failed because another server has the files open.
  cleanup.defer(() => (ports.length === 0 ? undefined : expectNoOpenFiles(dataDir)));
  cleanup.defer(() => (ports.length === 0 ? undefined : expectClosed(...ports)));
  const app = cleanup.use(
    createApp(options.configure?.(config) ?? config, {
      reserved: SMALL_RESERVED_SPACE,
      ...options.overrides,
    }),
  );
  await app.start();

  const { grpc, http } = app.addresses;
  ports = [grpc.port, http.port];
  const scheme = config.tls.certFile === undefined ? "http" : "https";
  const baseUrl = `${scheme}://${grpc.host}:${grpc.port}`;
  const sessions = new Http2SessionManager(baseUrl, undefined, options.tls);
  cleanup.defer(() => sessions.abort());
  const transport = createGrpcTransport({ baseUrl, sessionManager: sessions });
  const owned = cleanup.move();
  return {
    memory: createClient(MemoryService, transport),
    cache: createClient(CacheService, transport),
    compaction: createClient(CompactionService, transport),
    operations: createClient(OperationsService, transport),
    grpcAddress: `${grpc.host}:${grpc.port}`,
    httpUrl: `${scheme}://${http.host}:${http.port}`,
    dataDir,
    checked: app.checked,
    stop: () => app.stop(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function authentication(keys: readonly TestKey[], cleanup: AsyncDisposableStack): Promise<Environment> {
  const path = join(await temporaryDirectory(cleanup), "keys.yaml");
  await writeFile(path, keysFile(keys));
  return {
    AUTH_MODE: "api_keys",
    AUTH_API_KEYS_FILE: path,
    GRPC_HOST: "127.0.0.1",
    HTTP_HOST: "127.0.0.1",
  };
}

async function temporaryDirectory(cleanup: AsyncDisposableStack): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "recollect-test-"));
  cleanup.defer(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
