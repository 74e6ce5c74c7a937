import type { Caller } from "../domain/access/tenancy.ts";
import { RecollectError } from "../domain/errors.ts";
import { type Allocation, FairShare } from "../domain/load/fair-share.ts";

/** Limits of requests that are still being received: bytes of all, bytes of a connection, and time of each. */
export interface UnfinishedLimits {
  readonly maxUnfinishedBytes: number;
  readonly maxUnfinishedBytesPerConnection: number;
  readonly requestReceiveMs: number;
}

/** The sender of a request. */
export interface Sender {
  /** Shares are counted by caller, because a load balancer sends those of many from one address. Undefined: unknown. */
  readonly caller: Caller | undefined;
  /** The same object for all requests of one connection. */
  readonly connection: object;
}

/** Ends a request with an error; called at most once. */
export interface RefusalSink {
  refuse(error: RecollectError): void;
}

const RETRY_AFTER_MS = 1000;
const SWEEP_MS = 1000;

/**
 * Requests whose end has not arrived. Their bytes are in memory unchecked, so they are bounded: for the whole server, for
 * each connection, and, when the bound of the server is reached, by a fair share for each credential.
 */
export class UnfinishedRequests {
  readonly limits: UnfinishedLimits;
  readonly share: FairShare;
  readonly #connections = new WeakMap<object, { bytes: number }>();
  /** Keys of the shares; made once for each caller. */
  readonly #credentials = new WeakMap<Caller, string>();
  /** The ends of the linked list of open requests, in the order in which they began. */
  #oldest: UnfinishedRequest | undefined;
  #newest: UnfinishedRequest | undefined;
  readonly #sweep: NodeJS.Timeout;

  constructor(limits: UnfinishedLimits) {
    this.limits = limits;
    this.share = new FairShare(limits.maxUnfinishedBytes, () => this.#open());
    this.#sweep = setInterval(() => this.#endLate(), Math.min(SWEEP_MS, limits.requestReceiveMs)).unref();
  }

  /** Bytes of all of them now. */
  get bytes(): number {
    return this.share.total;
  }

  /**
   * Adds a request whose headers have arrived. `sink` ends it when its bytes are needed for others, and, unless it is a
   * stream, when it takes longer than `requestReceiveMs`.
   */
  begin(sender: Sender, isStream: boolean, sink: RefusalSink): UnfinishedRequest {
    let connection = this.#connections.get(sender.connection);
    if (connection === undefined) {
      connection = { bytes: 0 };
      this.#connections.set(sender.connection, connection);
    }
    const request = new UnfinishedRequest(
      this,
      connection,
      this.#credentialOf(sender.caller),
      isStream,
      sink,
    );
    // A linked list: with a Set, adding and removing one for each call costs a tenth of a call in garbage.
    request.previous = this.#newest;
    if (this.#newest === undefined) this.#oldest = request;
    else this.#newest.next = request;
    this.#newest = request;
    return request;
  }

  #credentialOf(caller: Caller | undefined): string {
    if (caller === undefined) return "";
    let credential = this.#credentials.get(caller);
    if (credential === undefined) {
      credential = `${caller.tenant} ${caller.principal}`;
      this.#credentials.set(caller, credential);
    }
    return credential;
  }

  /** Removes a request from the list. */
  remove(request: UnfinishedRequest): void {
    const { previous, next } = request;
    if (previous === undefined) this.#oldest = next;
    else previous.next = next;
    if (next === undefined) this.#newest = previous;
    else next.previous = previous;
    request.previous = undefined;
    request.next = undefined;
  }

  close(): void {
    clearInterval(this.#sweep);
  }

  *#open(): Generator<UnfinishedRequest> {
    for (let request = this.#oldest; request !== undefined; ) {
      const { next } = request;
      yield request;
      request = next;
    }
  }

  #endLate(): void {
    const { requestReceiveMs } = this.limits;
    const latest = performance.now() - requestReceiveMs;
    for (const request of this.#open()) {
      if (request.began > latest) return;
      if (!request.isStream) request.refuse(receiveTimeout("the request was", requestReceiveMs));
    }
  }
}

/** One request that is being received, or a stream of messages. */
export class UnfinishedRequest implements Allocation {
  readonly began = performance.now();
  readonly owner: string;
  readonly isStream: boolean;
  readonly #all: UnfinishedRequests;
  readonly #connection: { bytes: number };
  readonly #sink: RefusalSink;
  amount = 0;
  /** Its neighbours in the list of open requests. */
  previous: UnfinishedRequest | undefined = undefined;
  next: UnfinishedRequest | undefined = undefined;
  #finished = false;

  constructor(
    all: UnfinishedRequests,
    connection: { bytes: number },
    credential: string,
    isStream: boolean,
    sink: RefusalSink,
  ) {
    this.#all = all;
    this.#connection = connection;
    this.owner = credential;
    this.isStream = isStream;
    this.#sink = sink;
  }

  /** Counts bytes that have arrived. False when the request is refused, for these bytes or before. */
  add(bytes: number): boolean {
    if (this.#finished) return false;
    const { limits, share } = this.#all;
    const connection = this.#connection;
    if (connection.bytes + bytes > limits.maxUnfinishedBytesPerConnection) {
      this.refuse(tooMuchUnfinished("connection", limits.maxUnfinishedBytesPerConnection));
      return false;
    }
    if (!share.allocate(this, bytes)) {
      this.refuse(tooMuchUnfinished("server", limits.maxUnfinishedBytes));
      return false;
    }
    connection.bytes += bytes;
    return true;
  }

  /** Called when a message is passed to the handler: its bytes no longer count. */
  handedOver(): void {
    if (this.amount === 0) return;
    this.#connection.bytes -= this.amount;
    this.#all.share.release(this);
  }

  /** Called when the request is complete or has failed. */
  end(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#all.remove(this);
    this.handedOver();
  }

  evict(): void {
    this.refuse(tooMuchUnfinished("server", this.#all.limits.maxUnfinishedBytes));
  }

  refuse(error: RecollectError): void {
    if (this.#finished) return;
    this.end();
    this.#sink.refuse(error);
  }
}

function tooMuchUnfinished(scope: "server" | "connection", limit: number): RecollectError {
  return new RecollectError(
    "TOO_MANY_UNFINISHED_REQUESTS",
    `incomplete requests take ${limit} bytes of this ${scope}, which is the limit`,
    { metadata: { scope, max_bytes: String(limit) }, retryAfterMs: RETRY_AFTER_MS },
  );
}

/** `what` was not received within the limit. */
export function receiveTimeout(what: string, limitMs: number): RecollectError {
  return new RecollectError("RECEIVE_TIMEOUT", `${what} not received within ${limitMs / 1000} s`, {
    metadata: { limit_seconds: String(limitMs / 1000) },
  });
}
