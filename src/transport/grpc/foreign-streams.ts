import * as grpc from "@grpc/grpc-js";
import { statusOf } from "../status.ts";
import { toServiceError } from "./service-error.ts";

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
