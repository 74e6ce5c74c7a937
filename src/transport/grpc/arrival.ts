import type * as grpc from "@grpc/grpc-js";
import type { RunningCall } from "../pipeline.ts";
import type { GrpcCall } from "./grpc-call.ts";

/** A call whose headers have arrived, and who makes it is known. */
export interface Arrival {
  readonly incoming: GrpcCall;
  readonly running: RunningCall;
}

const ARRIVAL = Symbol("arrival");

/** Hands an arrival on with the headers, which grpc-js gives to the handler as the same object. */
export function setArrival(metadata: grpc.Metadata, arrival: Arrival): void {
  (metadata as { [ARRIVAL]?: Arrival })[ARRIVAL] = arrival;
}

export function arrivalOf(metadata: grpc.Metadata): Arrival {
  const arrival = (metadata as { readonly [ARRIVAL]?: Arrival })[ARRIVAL];
  if (arrival === undefined) throw new TypeError("a handler runs for a call that has not arrived");
  return arrival;
}
