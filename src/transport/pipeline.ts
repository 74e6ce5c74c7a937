import type { DescMethod } from "@bufbuild/protobuf";
import type { Caller } from "../domain/access/tenancy.ts";
import { RecollectError } from "../domain/errors.ts";
import type { Allocation } from "../domain/load/fair-share.ts";
import type { CallContext } from "../services/call.ts";
import { nextCallId } from "./call-id.ts";
import { type Status, statusOf } from "./status.ts";

/** A call as a server hands it to the pipeline. */
export interface IncomingCall {
  readonly transport: "grpc" | "http";
  readonly method: DescMethod;
  /** The address of the peer; computed when it is logged. */
  peer(): string;
  /** The value of a request header; undefined when there is none. */
  header(name: string): string | undefined;
  /** Aborts on cancellation, deadline and shutdown; made when it is first needed. */
  signal(): AbortSignal;
  /** Ends a streaming call with this error. Undefined for a call that does not stream. */
  readonly cut?: ((reason: RecollectError) => void) | undefined;
  /** Milliseconds to the deadline, negative after it; Infinity without one. */
  remainingMs(): number;
}

/** A running call, as middleware gets it. */
export interface Call extends Omit<IncomingCall, "signal"> {
  /** A UUID: in the log, and in ErrorInfo of INTERNAL. */
  readonly id: string;
  /** Set by authentication. */
  caller: Caller | undefined;
  /** Its slot in the limit of calls; set by admission. */
  place: Allocation | undefined;
}

export interface Outcome {
  /** Undefined when it succeeded. */
  readonly status: Status | undefined;
  /** The thrown error. */
  readonly error: unknown;
  readonly durationMs: number;
}

/** One concern of all calls. Their order, outermost first, is in server.ts. */
export interface Middleware {
  readonly name: string;
  /** Runs when the headers have arrived, before the body is buffered; throws to refuse the call. */
  readonly arrive?: (call: Call) => void;
  /** Runs when the request has arrived, before it is decoded; throws to refuse the call. */
  readonly begin?: (call: Call) => void;
  /** Runs when the call has ended, if the first hook of this middleware has run without an error. */
  readonly end?: (call: Call, outcome: Outcome) => void;
  /** Runs for each request message, once for equal bytes of one caller (request-cache.ts); throws to refuse it, by its content alone. */
  readonly receive?: (call: Call, message: object) => void;
}

/** One call on its way through the middleware. */
export interface RunningCall {
  /** Runs `arrive` of all middleware; throws when one of them refuses. */
  arrive(): void;
  /** Runs `begin` of all middleware, after `arrive` if that has not run; throws when one of them refuses. */
  admit(): void;
  receive(message: object): void;
  readonly context: CallContext;
  /** Ends the call with OK. */
  succeed(): void;
  /** Ends the call with this error, and returns the status to send. */
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

/** A class because it is made for every call: one object instead of one for each function. */
class PipedCall implements RunningCall, CallContext {
  readonly #start = performance.now();
  readonly #incoming: IncomingCall;
  readonly #call: NamedCall;
  readonly #middleware: readonly Middleware[];
  #arrived = false;
  /** The middleware whose `end` is to run: a bit each. */
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
      // With a `begin` and no `arrive`, its first hook is still to run.
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
  readonly transport: IncomingCall["transport"];
  readonly method: DescMethod;
  readonly id = nextCallId();
  caller: Caller | undefined = undefined;
  place: Allocation | undefined = undefined;

  constructor(incoming: IncomingCall) {
    this.#incoming = incoming;
    this.transport = incoming.transport;
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
