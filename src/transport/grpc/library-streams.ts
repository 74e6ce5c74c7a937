import * as grpc from "@grpc/grpc-js";
import { statusOf } from "../status.ts";
import { unwrapped } from "./internals.ts";
import { toServiceError } from "./service-error.ts";

/**
 * Ends the streams of health watches and reflection when the server stops: they have no end of their own, and a drain
 * would wait for them until its deadline. The handlers of the API get the same signal.
 */
export function endLibraryStreams(
  isOfApi: (path: string) => boolean,
  stopping: AbortSignal,
): grpc.ServerInterceptor {
  return (method, call) => {
    if (!method.responseStream || isOfApi(method.path)) return unwrapped(call);
    const end = (): void => {
      const { code, details, metadata } = toServiceError(statusOf(stopping.reason, ""));
      call.sendStatus({ code, details, metadata });
    };
    return new grpc.ServerInterceptingCall(call, {
      start: (next) => {
        if (stopping.aborted) end();
        else stopping.addEventListener("abort", end, { once: true });
        // grpc-js calls this after a normal end too.
        next({ onCancel: () => stopping.removeEventListener("abort", end) });
      },
    });
  };
}
