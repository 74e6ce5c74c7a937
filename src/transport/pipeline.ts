import type { DescMethod } from "@bufbuild/protobuf";
import type { Caller } from "../domain/access/tenancy.ts";
import { RecollectError } from "../domain/errors.ts";
import type { Holding } from "../domain/load/fair-share.ts";
import type { CallContext } from "../services/call.ts";
import { nextCallId } from "./call-id.ts";
import { type Status, statusOf } from "./status.ts";

/** What a door knows of a call before anything is decided. */
export interface IncomingCall {
  readonly door: "grpc" | "http";
  readonly method: DescMethod;
  /** Where it comes from. Asked for only when it is said. */
  peer(): string;
  /** The value of a request header; undefined when there is none. */
  header(name: string): string | undefined;
  /** Aborts on cancellation, deadline and shutdown. Asked for only when somebody needs it. */
  signal(): AbortSignal;
  /** Ends a call that streams from outside, with what it is told then. Undefined for a call that does not stream. */
  readonly cut?: ((reason: RecollectError) => void) | undefined;
  /** Milliseconds until the caller gives up, below 0 when it has; Infinity: not known. */
  remainingMs(): number;
}

/** A call under way, as middleware sees it. */
export interface Call extends Omit<IncomingCall, "signal"> {
  /** Names the call in the log, and to the caller when something fails inside. A UUID. */
  readonly id: string;
  /** Who calls; set by authentication. */
  caller: Caller | undefined;
  /** What the call holds of a limit of calls; set by admission. */
  place: Holding | undefined;
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
  /** When the headers are there, before anything of the request is kept; throws to refuse the call. */
  readonly arrive?: (call: Call) => void;
  /** When the request is there, before it is decoded; throws to refuse the call. */
  readonly begin?: (call: Call) => void;
  /** When the call has ended, unless it was refused before the first hook of this one had let it in. */
  readonly end?: (call: Call, outcome: Outcome) => void;
  /** With each request message; throws to refuse it, for what it is: the same message again is not shown again. */
  readonly receive?: (call: Call, message: object) => void;
}

/** One call on its way through the middleware. */
export interface RunningCall {
  /** Runs `arrive` of all middleware; throws when one of them refuses. */
  arrive(): void;
  /** Runs `begin` of all middleware, and `arrive` if that has not run; throws when one of them refuses. */
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
  return (incoming) => new PipedCall(incoming, middleware);
}

/** A class for the sake of the hot path: one object a call instead of one for each of its functions. */
class PipedCall implements RunningCall, CallContext {
  readonly #start = performance.now();
  readonly #incoming: IncomingCall;
  readonly #call: NamedCall;
  readonly #middleware: readonly Middleware[];
  #arrived = false;
  /** Those that have let the call in and not seen it end: a bit each. */
  #entered = 0;

  constructor(incoming: IncomingCall, middleware: readonly Middleware[]) {
    this.#incoming = incoming;
    this.#call = new NamedCall(incoming);
    this.#middleware = middleware;
  }

  arrive(): void {
    this.#arrived = true;
    let bit = 1;
    for (const { arrive, begin } of this.#middleware) {
      arrive?.(this.#call);
      // One that only watches is in from here on.
      if (arrive !== undefined || begin === undefined) this.#entered |= bit;
      bit <<= 1;
    }
  }

  admit(): void {
    if (!this.#arrived) this.arrive();
    let bit = 1;
    for (const { begin } of this.#middleware) {
      if (begin !== undefined) {
        begin(this.#call);
        this.#entered |= bit;
      }
      bit <<= 1;
    }
  }

  receive(message: object): void {
    for (const { receive } of this.#middleware) receive?.(this.#call, message);
  }

  get context(): CallContext {
    return this;
  }

  get caller(): Caller {
    if (this.#call.caller === undefined) throw new RecollectError("CREDENTIAL_INVALID", "not authenticated");
    return this.#call.caller;
  }

  get signal(): AbortSignal {
    return this.#incoming.signal();
  }

  get arrival(): number {
    return this.#start;
  }

  get deadline(): number {
    return performance.now() + this.#incoming.remainingMs();
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
    const entered = this.#entered;
    this.#entered = 0;
    for (let place = this.#middleware.length - 1; place >= 0; place -= 1) {
      if ((entered & (1 << place)) !== 0) this.#middleware[place]?.end?.(this.#call, outcome);
    }
  }
}

class NamedCall implements Call {
  readonly #incoming: IncomingCall;
  readonly door: IncomingCall["door"];
  readonly method: DescMethod;
  readonly id = nextCallId();
  caller: Caller | undefined = undefined;
  place: Holding | undefined = undefined;

  constructor(incoming: IncomingCall) {
    this.#incoming = incoming;
    this.door = incoming.door;
    this.method = incoming.method;
  }

  peer(): string {
    return this.#incoming.peer();
  }

  header(name: string): string | undefined {
    return this.#incoming.header(name);
  }

  get cut(): ((reason: RecollectError) => void) | undefined {
    return this.#incoming.cut;
  }

  remainingMs(): number {
    return this.#incoming.remainingMs();
  }
}
