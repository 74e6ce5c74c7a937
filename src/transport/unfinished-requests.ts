import { RecollectError } from "../domain/errors.ts";
import { FairShare, type Holding } from "../domain/load/fair-share.ts";
import type { Caller } from "../domain/tenancy.ts";

/** What requests that are still being received may take, in bytes, and how long one may take. */
export interface UnfinishedLimits {
  readonly maxUnfinishedBytes: number;
  readonly maxUnfinishedBytesPerConnection: number;
  readonly requestReceiveMs: number;
}

/** Who sends a request. */
export interface Sender {
  /** Shares of the bytes are counted by credential: a balancer brings those of many callers by one address. */
  readonly credential: string;
  /** The same object for all requests of one connection. */
  readonly connection: object;
}

/** What ends a request; called at most once. */
export interface RefusalSink {
  refuse(error: RecollectError): void;
}

/** By what the shares of callers are counted. */
export function credentialOf({ tenant, principal }: Caller): string {
  return `${tenant} ${principal}`;
}

const RETRY_AFTER_MS = 1000;
const SWEEP_MS = 1000;

/**
 * Requests whose end has not arrived. Their bytes are held in memory without having been looked at, so all of them
 * together are bounded, those of each connection, and the share of each credential when the bound is reached.
 */
export class UnfinishedRequests {
  readonly #limits: UnfinishedLimits;
  readonly #share: FairShare;
  readonly #connections = new WeakMap<object, { bytes: number }>();
  readonly #open = new Set<UnfinishedRequest>();
  readonly #sweep: NodeJS.Timeout;

  constructor(limits: UnfinishedLimits) {
    this.#limits = limits;
    this.#share = new FairShare(limits.maxUnfinishedBytes);
    this.#sweep = setInterval(() => this.#endLate(), Math.min(SWEEP_MS, limits.requestReceiveMs)).unref();
  }

  /** Bytes that are held now. */
  get bytes(): number {
    return this.#share.total;
  }

  /**
   * A request whose headers have arrived. It is ended with an error when its bytes are needed for others, and, unless it
   * is a stream, when it takes too long.
   */
  begin(sender: Sender, isStream: boolean, sink: RefusalSink): UnfinishedRequest {
    let connection = this.#connections.get(sender.connection);
    if (connection === undefined) {
      connection = { bytes: 0 };
      this.#connections.set(sender.connection, connection);
    }
    const request = new UnfinishedRequest(
      { limits: this.#limits, share: this.#share, open: this.#open, connection },
      sender.credential,
      sink,
    );
    if (!isStream) this.#open.add(request);
    return request;
  }

  close(): void {
    clearInterval(this.#sweep);
  }

  #endLate(): void {
    const { requestReceiveMs } = this.#limits;
    const latest = performance.now() - requestReceiveMs;
    // In the order in which they began.
    for (const request of this.#open) {
      if (request.began > latest) return;
      request.refuse(receiveTimeout("the request was", requestReceiveMs));
    }
  }
}

interface Shared {
  readonly limits: UnfinishedLimits;
  readonly share: FairShare;
  readonly open: Set<UnfinishedRequest>;
  readonly connection: { bytes: number };
}

/** One request that is being received, or a stream of messages. */
export class UnfinishedRequest implements Holding {
  readonly began = performance.now();
  readonly holder: string;
  readonly #shared: Shared;
  readonly #sink: RefusalSink;
  amount = 0;
  #ended = false;

  constructor(shared: Shared, credential: string, sink: RefusalSink) {
    this.#shared = shared;
    this.holder = credential;
    this.#sink = sink;
  }

  /** Counts bytes that have arrived; false when the request has been refused for them, or before. */
  add(bytes: number): boolean {
    if (this.#ended) return false;
    const { limits, share, connection } = this.#shared;
    if (connection.bytes + bytes > limits.maxUnfinishedBytesPerConnection) {
      this.refuse(tooMuchUnfinished("connection", limits.maxUnfinishedBytesPerConnection));
      return false;
    }
    if (!share.take(this, bytes)) {
      this.refuse(tooMuchUnfinished("server", limits.maxUnfinishedBytes));
      return false;
    }
    connection.bytes += bytes;
    return true;
  }

  /** A message is in other hands from now on: only the bytes behind it are still unfinished. */
  handedOver(): void {
    if (this.amount === 0) return;
    this.#shared.connection.bytes -= this.amount;
    this.#shared.share.give(this);
  }

  /** The request is complete, or has ended in another way. */
  end(): void {
    this.#ended = true;
    this.#shared.open.delete(this);
    this.handedOver();
  }

  evict(): void {
    this.refuse(tooMuchUnfinished("server", this.#shared.limits.maxUnfinishedBytes));
  }

  refuse(error: RecollectError): void {
    if (this.#ended) return;
    this.end();
    this.#sink.refuse(error);
  }
}

function tooMuchUnfinished(scope: "server" | "connection", limit: number): RecollectError {
  return new RecollectError(
    "TOO_MANY_UNFINISHED_REQUESTS",
    `requests that have not arrived whole take ${limit} bytes of this ${scope}, which is the limit`,
    { metadata: { scope, max_bytes: String(limit) }, retryAfterMs: RETRY_AFTER_MS },
  );
}

/** What was waited for, and for how long. */
export function receiveTimeout(what: string, limitMs: number): RecollectError {
  return new RecollectError("RECEIVE_TIMEOUT", `${what} not received within ${limitMs / 1000} s`, {
    metadata: { limit_seconds: String(limitMs / 1000) },
  });
}
