import { toJson } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type GetServerInfoResponse, GetServerInfoResponseSchema } from "#gen/recollect/v1/operations_pb.js";
import { connect } from "./client.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import { formatFields } from "./format-fields.ts";
import type { GlobalOptions } from "./global-options.ts";
import { print } from "./output.ts";

/** Prints version, backend and start time of the server. */
export async function serverInfo(options: GlobalOptions): Promise<ExitCode> {
  const info = await connect(options).operations.getServerInfo({});
  if (options.json) {
    print(JSON.stringify(toJson(GetServerInfoResponseSchema, info, { alwaysEmitImplicit: true })));
  } else for (const line of formatServerInfo(info)) print(line);
  return EXIT_CODE.ok;
}

function formatServerInfo(info: GetServerInfoResponse): string[] {
  return formatFields([
    ["version", info.version],
    ["backend", [info.backend, info.backendVersion].filter((part) => part !== "").join(" ")],
    ["started", info.startTime === undefined ? "" : timestampDate(info.startTime).toISOString()],
    ["topology", info.topology],
    ["modules", info.modules.join(", ")],
    ["when full", info.maxmemoryPolicy],
    ["persistence", info.persistence.join(", ")],
    ...Object.entries(info.capabilities),
  ]);
}
