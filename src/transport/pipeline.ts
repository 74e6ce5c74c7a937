import { randomUUID } from "node:crypto";
import type { DescMethod } from "@bufbuild/protobuf";
import { RecollectError } from "../domain/errors.ts";
import type { Caller } from "../domain/tenancy.ts";
import type { CallContext } from "../services/call.ts";
import { type Status, statusOf } from "./status.ts";

/** What a door knows of a call before anything is decided. */
export interface IncomingCall {
  readonly door: "grpc" | "http";
  readonly method: DescMethod;
  /** Where it comes from. Asked for only when it is said. */
  readonly peer: () => string;
  /** The value of a request header; undefined when there is none. */
  readonly header: (name: string) => string | undefined;
  /** Aborts on cancellation, deadline and shutdown. Asked for only when somebody needs it. */
  readonly signal: () => AbortSignal;
}

/** A call under way, as middleware sees it. */
export interface Call extends IncomingCall {
  /** Names the call in the log, and to the caller when something fails inside. */
  readonly id: string;
  /** Who calls; set by authentication. */
  caller: Caller | undefined;
}

export interface Outcome {
  /** Undefined: it succeeded. */
  readonly status: Status | undefined;
  /** What was thrown. */
  readonly error: unknown;
  readonly durationMs: number;
}

/** One concern around all calls. The list of them, outermost first, is in server.ts. */
export interface Middleware {
  readonly name: string;
  /** Before the request is read; throws to refuse the call. What it returns runs when the call has ended. */
  readonly begin?: (call: Call) => ((outcome: Outcome) => void) | undefined;
  /** With each request message; throws to refuse it, for what it is: the same message again is not shown again. */
  readonly receive?: (call: Call, message: object) => void;
}

/** One call on its way through the middleware. */
export interface RunningCall {
  /** Runs `begin` of all middleware; throws when one of them refuses. */
  admit(): void;
  receive(message: object): void;
  readonly context: CallContext;
  /** Ends the call well. */
  succeed(): void;
  /** Ends the call with what was thrown, and answers what to send. */
  fail(error: unknown): Status;
}

export type Pipeline = (incoming: IncomingCall) => RunningCall;

/**
 * Middleware as hooks around a call instead of functions around functions: unary calls, by far the most, then run
 * without a chain of async iterators, and streams go through the same hooks.
 */
export function createPipeline(middleware: readonly Middleware[]): Pipeline {
  const begins = middleware.flatMap(({ begin }) => begin ?? []);
  const receives = middleware.flatMap(({ receive }) => receive ?? []);
  return (incoming) => new PipedCall(incoming, begins, receives);
}

/** A class for the sake of the hot path: one object a call instead of one for each of its functions. */
class PipedCall implements RunningCall, CallContext {
  readonly #start = performance.now();
  readonly #call: Call;
  readonly #begins: readonly NonNullable<Middleware["begin"]>[];
  readonly #receives: readonly NonNullable<Middleware["receive"]>[];
  #endings: ((outcome: Outcome) => void)[] = [];

  constructor(
    incoming: IncomingCall,
    begins: readonly NonNullable<Middleware["begin"]>[],
    receives: readonly NonNullable<Middleware["receive"]>[],
  ) {
    const { door, method, peer, header, signal } = incoming;
    this.#call = { door, method, peer, header, signal, id: randomUUID(), caller: undefined };
    this.#begins = begins;
    this.#receives = receives;
  }

  admit(): void {
    for (const begin of this.#begins) {
      const ending = begin(this.#call);
      if (ending !== undefined) this.#endings.push(ending);
    }
  }

  receive(message: object): void {
    for (const receive of this.#receives) receive(this.#call, message);
  }

  get context(): CallContext {
    return this;
  }

  get caller(): Caller {
    if (this.#call.caller === undefined) throw new RecollectError("CREDENTIAL_INVALID", "not authenticated");
    return this.#call.caller;
  }

  get signal(): AbortSignal {
    return this.#call.signal();
  }

  succeed(): void {
    this.#end(undefined, undefined);
  }

  fail(error: unknown): Status {
    const status = statusOf(error, this.#call.id);
    this.#end(status, error);
    return status;
  }

  #end(status: Status | undefined, error: unknown): void {
    const outcome = { status, error, durationMs: performance.now() - this.#start };
    const endings = this.#endings;
    this.#endings = [];
    for (let index = endings.length - 1; index >= 0; index -= 1) endings[index]?.(outcome);
  }
}
