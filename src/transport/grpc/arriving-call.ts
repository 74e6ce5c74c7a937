import * as http2 from "node:http2";
import * as grpc from "@grpc/grpc-js";
import pLimit from "p-limit";
import type { Caller } from "../../domain/access/tenancy.ts";
import { type Reason, RecollectError } from "../../domain/errors.ts";
import { MAX_DECOMPRESSING } from "../bounds/limits.ts";
import { type Status, statusOf } from "../status.ts";
import type { UnfinishedRequest, UnfinishedRequests } from "../unfinished-requests.ts";
import { type Arrival, setArrival } from "./arrival.ts";
import {
  type BottomCall,
  bottomCall,
  isMessageTooLarge,
  type Listener,
  type PartialStatus,
  replaceMethods,
  unwrapped,
} from "./internals.ts";
import { toServiceError } from "./service-error.ts";

/** Status codes with which grpc-js ends calls before a handler runs, and the reason of each. */
const REASONS: Readonly<Record<number, Reason>> = {
  [grpc.status.DEADLINE_EXCEEDED]: "DEADLINE_EXCEEDED",
  [grpc.status.RESOURCE_EXHAUSTED]: "REQUEST_TOO_LARGE",
  [grpc.status.INTERNAL]: "REQUEST_MALFORMED",
  [grpc.status.UNIMPLEMENTED]: "REQUEST_MALFORMED",
};

/** The default frame size of HTTP/2; grpc-js receives frames one by one. */
const MAX_FRAME_BYTES = 16_384;

export interface ArrivingCallOptions {
  readonly maxMessageBytes: number;
  readonly unfinished: UnfinishedRequests;
  /** Begins the call of these headers; undefined for a path of no registered service. */
  readonly arrivalOf: (path: string, call: BottomCall, metadata: grpc.Metadata) => Arrival | undefined;
  /** Called for each call that grpc-js ends by itself and that is not in the pipeline. */
  readonly onRefused: (path: string, reason: Reason) => void;
}

/**
 * The first interceptor, below everything else that grpc-js does with a call. It does three things:
 *
 * - It authenticates the caller when the headers have arrived, so that no body of an unknown caller is buffered.
 * - It counts and bounds the bytes of requests that are not complete (see UnfinishedRequests).
 * - It adds ErrorInfo to the statuses that grpc-js sends by itself: for a deadline that has passed, a message over the
 *   limit, one that cannot be decompressed, and none or two where one belongs.
 */
export function watchArrival(options: ArrivingCallOptions): grpc.ServerInterceptor {
  const decompressing = pLimit(MAX_DECOMPRESSING);
  return (method, intercepted) => {
    const call = bottomCall(intercepted);
    const watched = new ArrivingCall(method, call, options);
    replaceMethods(call, {
      sendStatus: (status) => watched.sendStatus(status),
      start: (listener) => watched.start(listener),
      handleDataFrame: (data) => watched.handleDataFrame(data),
    });
    if (call.incomingEncoding !== "identity") {
      const decompress = call.decompressMessage.bind(call);
      replaceMethods(call, {
        decompressMessage: (message, encoding) => decompressing(async () => decompress(message, encoding)),
      });
    }
    return unwrapped(call);
  };
}

type Method = Parameters<grpc.ServerInterceptor>[0];

/** The listener of the call: one object for each call, without a function made for each. */
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
  /** A handler runs, and ends the call. */
  #handled: boolean;
  #finished = false;
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
    // After a status, the rest of the body is dropped.
    if (this.#finished) return;
    if (this.#unfinished?.add(data.length) ?? true) this.#takeFrame.call(this.#call, data);
  }

  onReceiveMessage(message: Buffer): void {
    // After a status, no message is passed to a handler.
    if (this.#finished) return;
    this.#messages += 1;
    if (this.#unfinished !== undefined) {
      this.#unfinished.handedOver();
      // A unary request is buffered until its end arrives, and may be larger than the bytes that were counted if those were
      // compressed.
      if (!this.#method.requestStream && !this.#unfinished.add(message.length)) return;
    }
    this.#listener?.onReceiveMessage(message);
  }

  onReceiveHalfClose(): void {
    if (this.#finished) return;
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
    if (!this.#handled && !this.#finished) {
      this.#finished = true;
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
    // A Node client with the default `maxSessionMemory` resets a call (ENHANCE_YOUR_CALM) that gets headers while more
    // than 10 MB of its own are still to be sent, and then reports no status. So the rest of the message is dropped
    // first, up to twice the limit; grpc-js calls this again with each frame.
    if (isMessageTooLarge(status)) {
      this.#tooLarge = text;
      this.#unfinished?.handedOver();
      this.#framesDropped += 1;
      if (this.#framesDropped * MAX_FRAME_BYTES <= 2 * this.#options.maxMessageBytes) return;
    }
    this.#refuse(this.#tooLargeError(text));
  }

  /** Ends the call before its handler has run, or cuts the handler of a stream. */
  refuse(error: RecollectError): void {
    if (this.#handled && this.#arrival?.incoming.cut !== undefined) {
      this.#arrival.incoming.cut(error);
      return;
    }
    this.#refuse(error);
    // Asks the client to stop sending the body. https://www.rfc-editor.org/rfc/rfc9113#section-8.1-10
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

  /** Ends the call in the pipeline, which counts and logs it, unless its handler will do so. */
  #statusOf(error: unknown): Status {
    if (this.#arrival !== undefined && !this.#handled && !this.#finished)
      return this.#arrival.running.fail(error);
    const status = statusOf(error, "");
    if (this.#arrival === undefined && !this.#finished)
      this.#options.onRefused(this.#method.path, status.reason);
    return status;
  }

  #endWith(status: PartialStatus): void {
    this.#finished = true;
    this.#unfinished?.end();
    this.#send.call(this.#call, status);
  }
}
