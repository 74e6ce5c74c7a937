import type * as grpc from "@grpc/grpc-js";
import type { RunningCall } from "../pipeline.ts";
import type { GrpcCall } from "./grpc-call.ts";
import { attach, attached } from "./internals.ts";

/** A call whose headers have arrived and whose caller is authenticated. */
export interface Arrival {
  readonly incoming: GrpcCall;
  readonly running: RunningCall;
}

const ARRIVAL = Symbol("arrival");

/** Keeps the arrival with the headers of its call, for the handler. */
export function setArrival(metadata: grpc.Metadata, arrival: Arrival): void {
  attach(metadata, ARRIVAL, arrival);
}

export function arrivalOf(metadata: grpc.Metadata): Arrival {
  const arrival = attached<Arrival>(metadata, ARRIVAL);
  if (arrival === undefined) throw new TypeError("a handler runs before its call has arrived");
  return arrival;
}
