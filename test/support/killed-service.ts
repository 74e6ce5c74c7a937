import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { toRefusal } from "./errors.ts";
import { startProcess, type TestProcess } from "./start-process.ts";

/** The service in its own process, which can be killed and started again on the same data. */
export class KilledService implements AsyncDisposable {
  readonly #env: Readonly<Record<string, string>>;
  #process: TestProcess | undefined;
  #sessions: Http2SessionManager | undefined;
  #memory: Client<typeof MemoryService> | undefined;

  /** `env`: where its data is. */
  constructor(env: Readonly<Record<string, string>>) {
    this.#env = env;
  }

  /** A client of the running process. */
  get memory(): Client<typeof MemoryService> {
    if (this.#memory === undefined) throw new TypeError("it was not started");
    return this.#memory;
  }

  async start(): Promise<void> {
    this.#process = await startProcess(this.#env);
    const { grpc } = JSON.parse(await this.#process.lineWith('"serving"')) as { grpc: string };
    const baseUrl = `http://${grpc}`;
    this.#sessions = new Http2SessionManager(baseUrl);
    this.#memory = createClient(
      MemoryService,
      createGrpcTransport({ baseUrl, sessionManager: this.#sessions }),
    );
  }

  async kill(): Promise<void> {
    this.#sessions?.abort();
    await this.#process?.[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

/** Whether a call failed because a process was killed; rethrows other errors. */
export function isOfKill(error: unknown): boolean {
  if (!(error instanceof ConnectError)) throw error;
  const { reason } = toRefusal(error);
  const hasNone = [Code.Unavailable, Code.Aborted, Code.Canceled, Code.Internal].includes(error.code);
  if (reason === "STORE_UNAVAILABLE" || (reason === undefined && hasNone)) return true;
  throw error;
}
