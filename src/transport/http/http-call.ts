import type { DescMethod } from "@bufbuild/protobuf";
import {
  Code as ConnectCode,
  ConnectError,
  type ContextValues,
  createContextKey,
  type HandlerContext,
} from "@connectrpc/connect";
import { RecollectError } from "../../domain/errors.ts";
import type { RefusedItem } from "../bounds/refused-item.ts";
import type { IncomingCall, Pipeline, RunningCall } from "../pipeline.ts";
import { toConnectError } from "./connect-error.ts";

export const GIVEN_UP = "the call was cancelled";

/** A call whose headers have arrived; goes through the library to the handler as a context value. */
export class HttpCall implements IncomingCall {
  readonly transport = "http";
  readonly method: DescMethod;
  readonly running: RunningCall;
  readonly cut: ((reason: RecollectError) => void) | undefined;
  /** The error of a call that is refused before its body is read. */
  refusal: ConnectError | undefined;
  /** The request is so large that decoding it yields to the event loop, as checking it does. */
  isLarge = false;
  /** The refused items of each message that is checked and not decoded yet, in their order. */
  readonly refusedItems: (readonly RefusedItem[])[] = [];
  readonly #headers: Headers;
  readonly #abort = new AbortController();
  /** Signal of the library; undefined until the handler runs. */
  #context: HandlerContext | undefined;

  constructor(method: DescMethod, headers: Headers, pipeline: Pipeline) {
    this.method = method;
    this.#headers = headers;
    this.cut = method.methodKind === "unary" ? undefined : (reason) => this.#abort.abort(reason);
    this.running = pipeline(this);
  }

  peer(): string {
    return "http";
  }

  header(name: string): string | undefined {
    return this.#headers.get(name) ?? undefined;
  }

  signal(): AbortSignal {
    return this.#abort.signal;
  }

  remainingMs(): number {
    return this.#context?.timeoutMs() ?? Number.POSITIVE_INFINITY;
  }

  /** Called when the handler starts. The call ends when the library ends it, with the reason that its status needs. */
  handle(context: HandlerContext): void {
    this.#context = context;
    const { signal } = context;
    const abort = (): void => this.#abort.abort(endReason(signal.reason));
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  }

  /** Ends the call with this error, and returns the error to throw to the library. */
  fail(error: unknown): ConnectError {
    // A cancellation or passed deadline takes precedence over the error of the handler.
    return toConnectError(this.running.fail(this.#abort.signal.reason ?? error));
  }
}

const CALL = createContextKey<HttpCall | undefined>(undefined, { description: "call" });

export function setCall(values: ContextValues, call: HttpCall): void {
  values.set(CALL, call);
}

export function callIn(values: ContextValues): HttpCall {
  const call = values.get(CALL);
  if (call === undefined) throw new TypeError("a handler runs before its call has arrived");
  return call;
}

function endReason(reason: unknown): RecollectError {
  if (reason instanceof RecollectError) return reason;
  return reason instanceof ConnectError && reason.code === ConnectCode.DeadlineExceeded
    ? new RecollectError("DEADLINE_EXCEEDED", "the deadline has passed")
    : new RecollectError("CALL_CANCELLED", GIVEN_UP);
}
