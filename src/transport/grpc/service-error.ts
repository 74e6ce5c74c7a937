import { toBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { StatusSchema } from "#gen/google/rpc/status_pb.js";
import { Code, type Status, toRpcStatus } from "../status.ts";

/** A status as grpc-js sends it. grpc-js would send the message of any other Error, with code UNKNOWN. */
export function toServiceError(status: Status): grpc.ServiceError {
  let error = serviceErrors.get(status);
  if (error === undefined) {
    error = makeServiceError(status);
    serviceErrors.set(status, error);
  }
  return error;
}

/** A status that many calls end with is encoded once. */
const serviceErrors = new WeakMap<Status, grpc.ServiceError>();

function makeServiceError(status: Status): grpc.ServiceError {
  const metadata = new grpc.Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, toRpcStatus(status))));
  return Object.assign(new Error(status.message), {
    code: Code[status.code],
    details: status.message,
    metadata,
  });
}
