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
    const send = call.sendStatus.bind(call);
    const refuse = (reason: Reason, text: string): void => {
      const metadata =
        reason === "REQUEST_TOO_LARGE"
          ? { max_bytes: String(options.maxMessageBytes) }
          : reason === "REQUEST_MALFORMED"
            ? { method: method.path }
            : {};
      const {
        code,
        details,
        metadata: trailers,
      } = toServiceError(statusOf(new RecollectError(reason, text, { metadata }), ""));
      send({ code, details, metadata: trailers });
    };

    let messages = 0;
    // From here on the pipeline counts and logs the call.
    let handled = method.requestStream;
    let tooLarge: string | undefined;
    let framesDropped = 0;
    call.sendStatus = (status) => {
      const own = status.metadata?.get("grpc-status-details-bin") ?? [];
      const reason = own.length > 0 ? undefined : REASONS[status.code ?? grpc.status.OK];
      if (reason === undefined) {
        send(status);
        return;
      }
      const text = status.details ?? "refused";
      // A Node client that keeps its default `maxSessionMemory` resets a call (ENHANCE_YOUR_CALM) when it gets
      // headers while more than 10 MB of its own wait to be sent, and never sees why. So what is still coming is
      // dropped first, up to twice the limit; grpc-js refuses each frame anew.
      if (reason === "REQUEST_TOO_LARGE" && text.startsWith("Received message larger than max")) {
        if (tooLarge === undefined && !handled) options.onRefused(method.path, reason);
        tooLarge = text;
        framesDropped += 1;
        if (framesDropped * MAX_FRAME_BYTES > 2 * options.maxMessageBytes) refuse(reason, text);
        return;
      }
      if (!handled) options.onRefused(method.path, reason);
      refuse(reason, text);
    };

    // Listened to on the call itself: a ServerInterceptingCall around it costs every call a tenth of what grpc-js does.
    const start = call.start.bind(call);
    call.start = (listener) =>
      start({
        onReceiveMetadata: (metadata) => listener.onReceiveMetadata(metadata),
        onReceiveMessage: (message) => {
          messages += 1;
          listener.onReceiveMessage(message);
        },
        onReceiveHalfClose: () => {
          if (tooLarge !== undefined) {
            refuse("REQUEST_TOO_LARGE", tooLarge);
            return;
          }
          handled ||= messages === 1;
          listener.onReceiveHalfClose();
        },
        onCancel: () => listener.onCancel(),
      });
    return call as grpc.ServerInterceptingCall;
  };
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
