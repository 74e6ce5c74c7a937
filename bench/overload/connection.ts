import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { frameOf } from "../grpc-connection.ts";

/** Compression flag and length before each message. */
const FRAME_HEAD_BYTES = 5;
const WINDOW_BYTES = 16 * 1024 * 1024;

/** The outcome of a call at the client. */
export interface CallEnd {
  /** The gRPC status code; that of a reset stream as clients map it. */
  readonly code: number;
  readonly hasRetryInfo: boolean;
  /** The message without its frame; empty unless the call succeeded. */
  readonly reply: Buffer;
  /** The error that ended it without a status, if any. */
  readonly failure?: string;
}

const OK = 0;
const CANCELLED = 1;
const DEADLINE_EXCEEDED = 4;
const RESOURCE_EXHAUSTED = 8;
const INTERNAL = 13;
const UNAVAILABLE = 14;

/** https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors */
const CODE_OF_RESET: Readonly<Record<number, number>> = {
  [constants.NGHTTP2_REFUSED_STREAM]: UNAVAILABLE,
  [constants.NGHTTP2_CANCEL]: CANCELLED,
  [constants.NGHTTP2_ENHANCE_YOUR_CALM]: RESOURCE_EXHAUSTED,
};

/**
 * A connection that makes unary calls with a deadline as clients do: with a `grpc-timeout` header, and a reset of calls
 * past their deadline. It reconnects when it has been closed.
 */
export class DeadlineConnection implements Disposable {
  readonly #address: string;
  #session: ClientHttp2Session | undefined;
  /** Number of times that the server, or an error, has closed it. */
  lost = 0;
  #disposed = false;

  constructor(address: string) {
    this.#address = address;
  }

  async open(): Promise<void> {
    const session = connect(`http://${this.#address}`, {
      settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
    });
    session.on("error", () => undefined);
    const drop = (): void => {
      if (this.#session !== session) return;
      this.#session = undefined;
      if (this.#disposed) return;
      this.lost += 1;
      void this.open();
    };
    session.on("goaway", drop);
    session.on("close", drop);
    try {
      await once(session, "remoteSettings");
    } catch {
      // The next call finds no session and fails as UNAVAILABLE.
      return;
    }
    session.setLocalWindowSize(WINDOW_BYTES);
    this.#session = session;
  }

  call(path: string, request: Buffer, deadlineMs: number, end: (end: CallEnd) => void): void {
    const session = this.#session;
    if (session === undefined || session.closed || session.destroyed) {
      setImmediate(() => end(failed(UNAVAILABLE, "not connected")));
      return;
    }
    const stream = session.request(
      {
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
        "grpc-timeout": `${deadlineMs}m`,
      },
      { endStream: false },
    );
    watch(stream, deadlineMs, end);
    stream.end(frameOf(request));
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#session?.destroy();
  }
}

function watch(stream: ClientHttp2Stream, deadlineMs: number, end: (end: CallEnd) => void): void {
  const chunks: Buffer[] = [];
  let status: Record<string, unknown> | undefined;
  let failure: string | undefined;
  let isOver = false;
  const timer = setTimeout(() => {
    isOver = true;
    stream.close(constants.NGHTTP2_CANCEL);
    end(failed(DEADLINE_EXCEEDED));
  }, deadlineMs);
  const read = (headers: Record<string, unknown>): void => {
    if (headers["grpc-status"] !== undefined) status = headers;
  };
  stream.on("response", read);
  stream.on("trailers", read);
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("error", (error) => {
    failure = error.message;
  });
  stream.on("close", () => {
    clearTimeout(timer);
    if (isOver) return;
    if (status === undefined) {
      end(failed(CODE_OF_RESET[stream.rstCode] ?? INTERNAL, failure ?? "closed without a status"));
      return;
    }
    const code = Number(status["grpc-status"]);
    const details = Buffer.from(String(status["grpc-status-details-bin"] ?? ""), "base64").toString("latin1");
    const reply = code === OK ? Buffer.concat(chunks).subarray(FRAME_HEAD_BYTES) : Buffer.alloc(0);
    end({ code, hasRetryInfo: details.includes("google.rpc.RetryInfo"), reply });
  });
}

function failed(code: number, failure?: string): CallEnd {
  return { code, hasRetryInfo: false, reply: Buffer.alloc(0), ...(failure === undefined ? {} : { failure }) };
}
