import { type Code as ConnectCode, ConnectError } from "@connectrpc/connect";
import { Code, type Status } from "../status.ts";

/** Connect has the codes of gRPC. */
export function toConnectError(status: Status): ConnectError {
  return new ConnectError(
    status.message,
    Code[status.code] as ConnectCode,
    undefined,
    status.details.map(({ desc, value }) => ({ desc, value: value as never })),
  );
}
