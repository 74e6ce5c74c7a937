import * as grpc from "@grpc/grpc-js";
import { type Reason, RecollectError } from "../../domain/errors.ts";
import { statusOf } from "../status.ts";
import { toServiceError } from "./adapter.ts";

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
 * grpc-js ends some calls itself: past their deadline, with a message over the limit, one it cannot decompress, or
 * none or two where one belongs. It does so beneath all interceptors, without ErrorInfo. So this interceptor takes
 * the place of `sendStatus` on the call at the very bottom, where every status passes.
 */
export function completeStatus(options: {
  readonly maxMessageBytes: number;
  /** Called for each status that was not made by a handler. */
  readonly onRefused: (path: string, reason: Reason) => void;
}): grpc.ServerInterceptor {
  return (method, call) => {
    const watched = new WatchedCall(method, call, options);
    // One literal, for the sake of the collector: a function that is assigned to a property (`a.b = () => ...`) was
    // measured to keep the whole call until the old generation is collected.
    Object.assign(call, {
      sendStatus: (status: PartialStatus) => watched.sendStatus(status),
      start: (listener: Listener) => watched.start(listener),
    });
    return call as grpc.ServerInterceptingCall;
  };
}

type Options = Parameters<typeof completeStatus>[0];
type Method = Parameters<grpc.ServerInterceptor>[0];
type BottomCall = Parameters<grpc.ServerInterceptor>[1];
type PartialStatus = Parameters<BottomCall["sendStatus"]>[0];
type Listener = Parameters<BottomCall["start"]>[0];

/**
 * A call at the very bottom, and what grpc-js tells of it: it stands in the place of the listener itself, because a
 * ServerInterceptingCall around each call costs a tenth of what grpc-js does, and functions made for each cost too.
 */
class WatchedCall {
  readonly #method: Method;
  readonly #call: BottomCall;
  readonly #options: Options;
  readonly #send: BottomCall["sendStatus"];
  readonly #begin: BottomCall["start"];
  #listener: Listener | undefined;
  #messages = 0;
  /** From here on the pipeline counts and logs the call. */
  #handled: boolean;
  #tooLarge: string | undefined;
  #framesDropped = 0;

  constructor(method: Method, call: BottomCall, options: Options) {
    this.#method = method;
    this.#call = call;
    this.#options = options;
    this.#send = call.sendStatus;
    this.#begin = call.start;
    this.#handled = method.requestStream;
  }

  start(listener: Listener): void {
    this.#listener = listener;
    this.#begin.call(this.#call, this as Listener);
  }

  sendStatus(status: PartialStatus): void {
    const own = status.metadata?.get("grpc-status-details-bin") ?? [];
    const reason = own.length > 0 ? undefined : REASONS[status.code ?? grpc.status.OK];
    if (reason === undefined) {
      this.#send.call(this.#call, status);
      return;
    }
    const text = status.details ?? "refused";
    // A Node client that keeps its default `maxSessionMemory` resets a call (ENHANCE_YOUR_CALM) when it gets
    // headers while more than 10 MB of its own wait to be sent, and never sees why. So what is still coming is
    // dropped first, up to twice the limit; grpc-js refuses each frame anew.
    if (reason === "REQUEST_TOO_LARGE" && text.startsWith("Received message larger than max")) {
      if (this.#tooLarge === undefined && !this.#handled) this.#options.onRefused(this.#method.path, reason);
      this.#tooLarge = text;
      this.#framesDropped += 1;
      if (this.#framesDropped * MAX_FRAME_BYTES > 2 * this.#options.maxMessageBytes)
        this.#refuse(reason, text);
      return;
    }
    if (!this.#handled) this.#options.onRefused(this.#method.path, reason);
    this.#refuse(reason, text);
  }

  onReceiveMetadata(metadata: grpc.Metadata): void {
    this.#listener?.onReceiveMetadata(metadata);
  }

  onReceiveMessage(message: unknown): void {
    this.#messages += 1;
    this.#listener?.onReceiveMessage(message);
  }

  onReceiveHalfClose(): void {
    if (this.#tooLarge !== undefined) {
      this.#refuse("REQUEST_TOO_LARGE", this.#tooLarge);
      return;
    }
    this.#handled ||= this.#messages === 1;
    this.#listener?.onReceiveHalfClose();
  }

  onCancel(): void {
    this.#listener?.onCancel();
  }

  #refuse(reason: Reason, text: string): void {
    const metadata =
      reason === "REQUEST_TOO_LARGE"
        ? { max_bytes: String(this.#options.maxMessageBytes) }
        : reason === "REQUEST_MALFORMED"
          ? { method: this.#method.path }
          : {};
    const status = toServiceError(statusOf(new RecollectError(reason, text, { metadata }), ""));
    const { code, details } = status;
    this.#send.call(this.#call, { code, details, metadata: status.metadata });
  }
}

/**
 * Ends health watches and reflection when the server stops: they have no end of their own, and a drain would wait
 * for them until its deadline. Streams of ours see the same signal in their handlers.
 */
export function endForeignStreams(
  isOurs: (path: string) => boolean,
  stopping: AbortSignal,
): grpc.ServerInterceptor {
  return (method, call) => {
    if (!method.responseStream || isOurs(method.path)) return call as grpc.ServerInterceptingCall;
    const end = (): void => {
      const { code, details, metadata } = toServiceError(statusOf(stopping.reason, ""));
      call.sendStatus({ code, details, metadata });
    };
    return new grpc.ServerInterceptingCall(call, {
      start: (next) => {
        if (stopping.aborted) end();
        else stopping.addEventListener("abort", end, { once: true });
        // grpc-js says this after a normal end too.
        next({ onCancel: () => stopping.removeEventListener("abort", end) });
      },
    });
  };
}
