import type { RunningCall } from "../pipeline.ts";
import { receiveTimeout } from "../unfinished-requests.ts";
import type { ServerCall } from "./grpc-call.ts";
import { readOneAhead } from "./internals.ts";

/**
 * The messages of a request stream, read one ahead of the handler, so that flow control limits the caller. Node's own
 * iterator of a stream is not used, because it destroys the stream when the handler returns early, and with it the status
 * that is still to be sent, and because it ignores the signal of the call.
 *
 * Throws RECEIVE_TIMEOUT when the next message does not arrive within `idleMs`; the time of the handler does not count.
 */
export async function* decodeStream<Message>(
  call: ServerCall,
  running: RunningCall,
  decode: (bytes: Buffer) => Message,
  idleMs: number,
): AsyncIterable<Message> {
  const { signal } = running.context;
  readOneAhead(call);
  let finished = false;
  let wake = (): void => undefined;
  call.on("readable", () => wake());
  call.once("end", () => {
    finished = true;
    wake();
  });
  signal.addEventListener("abort", () => wake(), { once: true });
  let idleSince = performance.now();
  for (;;) {
    signal.throwIfAborted();
    const bytes = call.read() as Buffer | null;
    if (bytes !== null) {
      yield decode(bytes);
      idleSince = performance.now();
      continue;
    }
    if (finished) return;
    const left = idleSince + idleMs - performance.now();
    if (left <= 0) throw receiveTimeout("the next message of the stream was", idleMs);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.ceil(left));
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
