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

/** A call whose headers have arrived: what the library is given, and what it gives back to the handler. */
export class HttpCall implements IncomingCall {
  readonly door = "http";
  readonly method: DescMethod;
  readonly running: RunningCall;
  readonly cut: ((reason: RecollectError) => void) | undefined;
  /** Why the call is refused before its body is read. */
  refusal: ConnectError | undefined;
  /** It was worth a turn of the event loop to check the request, and so it is to decode it. */
  isLarge = false;
  /** Items of the messages that have been read and not handed on, in their order. */
  readonly refusedItems: (readonly RefusedItem[])[] = [];
  readonly #headers: Headers;
  readonly #ended = new AbortController();
  /** What the library says of the call; undefined until a handler runs. */
  #context: HandlerContext | undefined;

  constructor(method: DescMethod, headers: Headers, pipeline: Pipeline) {
    this.method = method;
    this.#headers = headers;
    this.cut = method.methodKind === "unary" ? undefined : (reason) => this.#ended.abort(reason);
    this.running = pipeline(this);
  }

  peer(): string {
    return "http";
  }

  header(name: string): string | undefined {
    return this.#headers.get(name) ?? undefined;
  }

  signal(): AbortSignal {
    return this.#ended.signal;
  }

  remainingMs(): number {
    return this.#context?.timeoutMs() ?? Number.POSITIVE_INFINITY;
  }

  /**
   * The call is in a handler from now on. It ends when the library ends it: its signal, with a reason of ours, answers
   * with the right status.
   */
  handle(context: HandlerContext): void {
    this.#context = context;
    const { signal } = context;
    const abort = (): void => this.#ended.abort(endReason(signal.reason));
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  }

  /** Ends the call with what was thrown; what is returned is for the library to throw. */
  fail(error: unknown): ConnectError {
    // What fails once the call has been ended from outside fails because of that: nothing is wrong inside.
    return toConnectError(this.running.fail(this.#ended.signal.reason ?? error));
  }
}

const CALL = createContextKey<HttpCall | undefined>(undefined, { description: "call" });

export function setCall(values: ContextValues, call: HttpCall): void {
  values.set(CALL, call);
}

export function callIn(values: ContextValues): HttpCall {
  const call = values.get(CALL);
  if (call === undefined) throw new TypeError("a handler runs for a call that has not arrived");
  return call;
}

function endReason(reason: unknown): RecollectError {
  if (reason instanceof RecollectError) return reason;
  return reason instanceof ConnectError && reason.code === ConnectCode.DeadlineExceeded
    ? new RecollectError("DEADLINE_EXCEEDED", "the deadline has passed")
    : new RecollectError("CALL_CANCELLED", GIVEN_UP);
}
