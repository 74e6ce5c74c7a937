import type { DescMethod } from "@bufbuild/protobuf";
import type * as grpc from "@grpc/grpc-js";
import { RecollectError } from "../../domain/errors.ts";
import type { IncomingCall } from "../pipeline.ts";
import type { BottomCall } from "./internals.ts";
import { MAX_TIMEOUT_MS } from "./timeout.ts";

/** A call as grpc-js hands it to handlers; of all four kinds. */
export type ServerCall = grpc.ServerUnaryCall<Buffer, Buffer> & grpc.ServerDuplexStream<Buffer, Buffer>;

/** A class because it is made for every call: one object, and no function made for each. */
export class GrpcCall implements IncomingCall {
  readonly transport = "grpc";
  readonly method: DescMethod;
  readonly cut: ((reason: RecollectError) => void) | undefined;
  readonly #bottom: BottomCall;
  readonly #metadata: grpc.Metadata;
  /** The call as its handler got it; undefined until that runs. */
  #call: ServerCall | undefined;
  #stopping: AbortSignal | undefined;
  #ending: Ending | undefined;

  constructor(method: DescMethod, bottom: BottomCall, metadata: grpc.Metadata) {
    this.method = method;
    this.#bottom = bottom;
    this.#metadata = metadata;
    this.cut =
      method.methodKind === "unary" ? undefined : (reason) => this.#endingOfCall().controller.abort(reason);
  }

  /** Called when the handler starts; `stopping` ends the call when the server stops. */
  handle(call: ServerCall, stopping: AbortSignal | undefined): void {
    this.#call = call;
    this.#stopping = stopping;
  }

  peer(): string {
    return this.#bottom.getPeer();
  }

  header(name: string): string | undefined {
    return this.#metadata.get(name)[0]?.toString();
  }

  remainingMs(): number {
    return Number(this.#bottom.getDeadline()) - Date.now();
  }

  signal(): AbortSignal {
    return this.#endingOfCall().signal;
  }

  /** Called before the answer is sent: grpc-js emits `cancelled` after a normal end too, when nothing uses the signal. */
  release(): void {
    if (this.#ending !== undefined) this.#call?.off("cancelled", this.#ending.end);
  }

  #endingOfCall(): Ending {
    if (this.#call === undefined) throw new TypeError("a call can end only in a handler");
    this.#ending ??= endingOf(this.#call, this.#stopping);
    return this.#ending;
  }
}

interface Ending {
  readonly controller: AbortController;
  readonly signal: AbortSignal;
  readonly end: () => void;
}

/** Aborts when the call is cancelled or its deadline passes, and for streams when the server stops. */
function endingOf(call: ServerCall, stopping: AbortSignal | undefined): Ending {
  const controller = new AbortController();
  const end = (): void => controller.abort(endReason(call));
  if (call.cancelled) end();
  else call.once("cancelled", end);
  if (stopping === undefined) return { controller, signal: controller.signal, end };
  // At the deadline of a stream, grpc-js emits `cancelled` only when the caller has read what is buffered.
  const left = Number(call.getDeadline()) - Date.now();
  if (left <= MAX_TIMEOUT_MS) {
    const timer = setTimeout(end, Math.max(left, 0));
    call.once("cancelled", () => clearTimeout(timer));
  }
  return { controller, signal: AbortSignal.any([controller.signal, stopping]), end };
}

/** The error of a call that was cancelled or whose deadline has passed. */
export function endReason(call: ServerCall): RecollectError {
  // Timers may fire a millisecond early.
  return Number(call.getDeadline()) <= Date.now() + 1
    ? new RecollectError("DEADLINE_EXCEEDED", "the deadline has passed")
    : new RecollectError("CALL_CANCELLED", "the call was cancelled");
}
