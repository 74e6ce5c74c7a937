import type { Backend, BackendDescription } from "../../ports/backend.ts";

export interface GetServerInfoPorts {
  readonly version: string;
  /** When the process started to serve. Milliseconds since the epoch. */
  readonly startTime: number;
  readonly backend: Pick<Backend, "name" | "describe">;
}

export interface ServerInfo extends BackendDescription {
  readonly version: string;
  readonly startTime: number;
  readonly backend: string;
}

/** The server and its backend. */
export async function getServerInfo({
  version,
  startTime,
  backend,
}: GetServerInfoPorts): Promise<ServerInfo> {
  return { version, startTime, backend: backend.name, ...(await backend.describe()) };
}
