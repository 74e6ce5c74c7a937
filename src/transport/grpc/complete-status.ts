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

/**
 * grpc-js ends some calls itself: past their deadline, with a message over the limit, one it cannot decompress, or
 * none or two where one belongs. It does so beneath all interceptors, without ErrorInfo. So this interceptor takes
 * the place of `sendStatus` on the call at the very bottom, where every status passes.
 *
 * It also undoes a fault there: a timeout of more than 2^31 ms (24.8 days) wraps to one in the past, and the call
 * would end at once. Such a call simply has no deadline.
 */
export function completeStatus(options: {
  readonly maxMessageBytes: number;
  /** Called for each status that was not made by a handler. */
  readonly onRefused: (path: string, reason: Reason) => void;
}): grpc.ServerInterceptor {
  return (method, call) => {
    const deadline = call.getDeadline();
    const wrapped = Number(deadline) < Date.now() - 1000;
    const send = call.sendStatus.bind(call);
    call.sendStatus = (status) => {
      if (wrapped && status.code === grpc.status.DEADLINE_EXCEEDED) return;
      const own = status.metadata?.get("grpc-status-details-bin") ?? [];
      const reason = own.length > 0 ? undefined : REASONS[status.code ?? grpc.status.OK];
      if (reason === undefined) {
        send(status);
        return;
      }
      options.onRefused(method.path, reason);
      const metadata =
        reason === "REQUEST_TOO_LARGE"
          ? { max_bytes: String(options.maxMessageBytes) }
          : { method: method.path };
      const text = status.details ?? "refused";
      const complete = toServiceError(statusOf(new RecollectError(reason, text, { metadata }), ""));
      send({ code: complete.code, details: complete.details, metadata: complete.metadata });
    };
    return new grpc.ServerInterceptingCall(call);
  };
}
