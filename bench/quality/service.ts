import { createApp } from "../../src/app/app.ts";
import { connect } from "../../src/cli/client.ts";
import { loadConfig } from "../../src/config/load.ts";

/** A running service in this process, and its clients. */
export interface OpenedService extends AsyncDisposable {
  readonly clients: ReturnType<typeof connect>;
}

/** Starts the service on the embedded store with these settings and otherwise the defaults; disposing it stops it. */
export async function openService(settings: Readonly<Record<string, string>>): Promise<OpenedService> {
  const env = {
    MEMORY_BACKEND: "embedded",
    GRPC_PORT: "0",
    HTTP_PORT: "0",
    LOG_LEVEL: "error",
    RECOLLECT_CONFIG: "none.yaml",
    ...settings,
  };
  const app = createApp(loadConfig({ env }));
  await app.start();
  const { host, port } = app.addresses.grpc;
  return {
    clients: connect({ address: `${host}:${port}` }),
    [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
  };
}
