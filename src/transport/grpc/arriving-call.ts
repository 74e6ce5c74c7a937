import * as http2 from "node:http2";
import * as grpc from "@grpc/grpc-js";
import pLimit from "p-limit";
import type { Caller } from "../../domain/access/tenancy.ts";
import { type Reason, RecollectError } from "../../domain/errors.ts";
import { type Status, statusOf } from "../status.ts";
import type { UnfinishedRequest, UnfinishedRequests } from "../unfinished-requests.ts";
import { type Arrival, setArrival } from "./arrival.ts";
import { toServiceError } from "./service-error.ts";

/** What grpc-js answers by itself, before a handler runs, and the reason it stands for. */
const REASONS: Readonly<Record<number, Reason>> = {
  [grpc.status.DEADLINE_EXCEEDED]: "DEADLINE_EXCEEDED",
  [grpc.status.RESOURCE_EXHAUSTED]: "REQUEST_TOO_LARGE",
  [grpc.status.INTERNAL]: "REQUEST_MALFORMED",
  [grpc.status.UNIMPLEMENTED]: "REQUEST_MALFORMED",
};

/** HTTP/2's frame size unless agreed otherwise; grpc-js looks at each as it comes. */
const MAX_FRAME_BYTES = 16_384;

/**
 * A compressed message may be a thousand times as large as what came; so few at a time take memory that is not counted
 * yet.
 */
const MAX_DECOMPRESSING = 2;

export interface ArrivingCallOptions {
  readonly maxMessageBytes: number;
  readonly unfinished: UnfinishedRequests;
  /** What is known of a call by its headers; undefined for a path that is not of our services. */
  readonly arrivalOf: (path: string, call: BottomCall, metadata: grpc.Metadata) => Arrival | undefined;
  /** Called for each status that was made neither by a handler nor by the pipeline. */
  readonly onRefused: (path: string, reason: Reason) => void;
}

/**
 * Stands at the very bottom of each call, beneath all that grpc-js does with it, for three things:
 *
 * - The caller is authenticated when the headers are there. The body of a stranger is not kept.
 * - Bytes of requests that are not complete are counted and bounded (see UnfinishedRequests).
 * - grpc-js ends some calls itself, without ErrorInfo: past their deadline, with a message over the limit, one it cannot
 *   decompress, or none or two where one belongs. Every status passes here, and gets one.
 */
export function watchArrival(options: ArrivingCallOptions): grpc.ServerInterceptor {
  const decompressing = pLimit(MAX_DECOMPRESSING);
  return (method, call) => {
    const watched = new ArrivingCall(method, call as BottomCall, options);
    const { incomingEncoding } = call as BottomCall;
    // One literal, for the sake of the collector: a function that is assigned to a property (`a.b = () => ...`) was
    // measured to keep the whole call until the old generation is collected.
    Object.assign(call, {
      sendStatus: (status: PartialStatus) => watched.sendStatus(status),
      start: (listener: Listener) => watched.start(listener),
      handleDataFrame: (data: Buffer) => watched.handleDataFrame(data),
    });
    if (incomingEncoding !== "identity") {
      const decompress = (call as BottomCall).decompressMessage.bind(call);
      Object.assign(call, {
        decompressMessage: (message: Buffer, encoding: string) =>
          decompressing(async () => decompress(message, encoding)),
      });
    }
    return call as grpc.ServerInterceptingCall;
  };
}

type Method = Parameters<grpc.ServerInterceptor>[0];
type InterceptedCall = Parameters<grpc.ServerInterceptor>[1];
type PartialStatus = Parameters<InterceptedCall["sendStatus"]>[0];
type Listener = Parameters<InterceptedCall["start"]>[0];

/** A call as grpc-js makes it; what it keeps private is so to the compiler only. */
export type BottomCall = InterceptedCall & {
  readonly stream: http2.ServerHttp2Stream;
  readonly incomingEncoding: string;
  handleDataFrame(data: Buffer): void;
  decompressMessage(message: Buffer, encoding: string): Buffer | Promise<Buffer>;
};

/**
 * Stands in the place of the listener itself, because a ServerInterceptingCall around each call costs a tenth of what
 * grpc-js does, and functions made for each cost too.
 */
class ArrivingCall {
  readonly #method: Method;
  readonly #call: BottomCall;
  readonly #options: ArrivingCallOptions;
  readonly #send: BottomCall["sendStatus"];
  readonly #begin: BottomCall["start"];
  readonly #takeFrame: BottomCall["handleDataFrame"];
  #listener: Listener | undefined;
  #arrival: Arrival | undefined;
  #unfinished: UnfinishedRequest | undefined;
  #messages = 0;
  /** From here on a handler answers. */
  #handled: boolean;
  #ended = false;
  #tooLarge: string | undefined;
  #framesDropped = 0;

  constructor(method: Method, call: BottomCall, options: ArrivingCallOptions) {
    this.#method = method;
    this.#call = call;
    this.#options = options;
    this.#send = call.sendStatus;
    this.#begin = call.start;
    this.#takeFrame = call.handleDataFrame;
    this.#handled = method.requestStream;
  }

  start(listener: Listener): void {
    this.#listener = listener;
    this.#begin.call(this.#call, this as Listener);
  }

  onReceiveMetadata(metadata: grpc.Metadata): void {
    const arrival = this.#options.arrivalOf(this.#method.path, this.#call, metadata);
    this.#arrival = arrival;
    let caller: Caller | undefined;
    if (arrival !== undefined) {
      try {
        arrival.running.arrive();
        caller = arrival.running.context.caller;
      } catch (error) {
        this.#refuse(error);
        return;
      }
      setArrival(metadata, arrival);
    }
    const connection = this.#call.stream.session;
    if (connection !== undefined) {
      this.#unfinished = this.#options.unfinished.begin(
        { caller, connection },
        this.#method.requestStream,
        this,
      );
    }
    this.#listener?.onReceiveMetadata(metadata);
  }

  handleDataFrame(data: Buffer): void {
    // What comes behind a status is dropped.
    if (this.#ended) return;
    if (this.#unfinished?.add(data.length) ?? true) this.#takeFrame.call(this.#call, data);
  }

  onReceiveMessage(message: Buffer): void {
    // Nothing goes on to a handler behind a status.
    if (this.#ended) return;
    this.#messages += 1;
    if (this.#unfinished !== undefined) {
      this.#unfinished.handedOver();
      // A unary request is kept here until its end arrives; it may be larger than what came, if that was compressed.
      if (!this.#method.requestStream && !this.#unfinished.add(message.length)) return;
    }
    this.#listener?.onReceiveMessage(message);
  }

  onReceiveHalfClose(): void {
    if (this.#ended) return;
    if (this.#tooLarge !== undefined) {
      this.#refuse(this.#tooLargeError(this.#tooLarge));
      return;
    }
    this.#unfinished?.end();
    this.#handled ||= this.#messages === 1;
    this.#listener?.onReceiveHalfClose();
  }

  onCancel(): void {
    this.#unfinished?.end();
    if (!this.#handled && !this.#ended) {
      this.#ended = true;
      this.#arrival?.running.fail(new RecollectError("CALL_CANCELLED", "the call was cancelled"));
    }
    this.#listener?.onCancel();
  }

  sendStatus(status: PartialStatus): void {
    const own = status.metadata?.get("grpc-status-details-bin") ?? [];
    const reason = own.length > 0 ? undefined : REASONS[status.code ?? grpc.status.OK];
    if (reason === undefined) {
      this.#endWith(status);
      return;
    }
    const text = status.details ?? "refused";
    if (reason !== "REQUEST_TOO_LARGE") {
      const metadata = reason === "REQUEST_MALFORMED" ? { method: this.#method.path } : {};
      this.#refuse(new RecollectError(reason, text, { metadata }));
      return;
    }
    // A Node client that keeps its default `maxSessionMemory` resets a call (ENHANCE_YOUR_CALM) when it gets
    // headers while more than 10 MB of its own wait to be sent, and never sees why. So what is still coming is
    // dropped first, up to twice the limit; grpc-js refuses each frame anew.
    if (text.startsWith("Received message larger than max")) {
      this.#tooLarge = text;
      this.#unfinished?.handedOver();
      this.#framesDropped += 1;
      if (this.#framesDropped * MAX_FRAME_BYTES <= 2 * this.#options.maxMessageBytes) return;
    }
    this.#refuse(this.#tooLargeError(text));
  }

  /** Ends the call before its handler runs, or in the place of it. */
  refuse(error: RecollectError): void {
    if (this.#handled && this.#arrival?.incoming.cut !== undefined) {
      this.#arrival.incoming.cut(error);
      return;
    }
    this.#refuse(error);
    // The rest of the body is not wanted. https://www.rfc-editor.org/rfc/rfc9113#section-8.1-10
    this.#call.stream.close(http2.constants.NGHTTP2_NO_ERROR);
  }

  #tooLargeError(text: string): RecollectError {
    return new RecollectError("REQUEST_TOO_LARGE", text, {
      metadata: { max_bytes: String(this.#options.maxMessageBytes) },
    });
  }

  #refuse(error: unknown): void {
    const { code, details, metadata } = toServiceError(this.#statusOf(error));
    this.#endWith({ code, details, metadata });
  }

  /** The pipeline counts and logs a call, and once only: when it is in a handler, that one does. */
  #statusOf(error: unknown): Status {
    if (this.#arrival !== undefined && !this.#handled && !this.#ended)
      return this.#arrival.running.fail(error);
    const status = statusOf(error, "");
    if (this.#arrival === undefined && !this.#ended)
      this.#options.onRefused(this.#method.path, status.reason);
    return status;
  }

  #endWith(status: PartialStatus): void {
    this.#ended = true;
    this.#unfinished?.end();
    this.#send.call(this.#call, status);
  }
}
