import type { RunningCall } from "../pipeline.ts";
import { receiveTimeout } from "../unfinished-requests.ts";
import type { ServerCall } from "./grpc-call.ts";

/**
 * Reads a message when the handler asks for the next one, and one ahead: no more is taken from the connection, so that
 * the caller is held up. Not by the stream's own iterator, which destroys the stream, and with it the status that is
 * still to be sent, when the handler has seen enough; and which does not notice that the server stops.
 *
 * Throws RECEIVE_TIMEOUT when the next message does not come in time; the time that the handler takes does not count.
 */
export async function* decodeStream<Message>(
  call: ServerCall,
  running: RunningCall,
  decode: (bytes: Buffer) => Message,
  idleMs: number,
): AsyncIterable<Message> {
  const { signal } = running.context;
  // 16 by default, of 16 MiB each. grpc-js has no option for it; the state is private to the compiler only.
  Object.assign((call as unknown as { _readableState: object })._readableState, { highWaterMark: 1 });
  let ended = false;
  let wake = (): void => undefined;
  call.on("readable", () => wake());
  call.once("end", () => {
    ended = true;
    wake();
  });
  signal.addEventListener("abort", () => wake(), { once: true });
  let waitingSince = performance.now();
  for (;;) {
    signal.throwIfAborted();
    const bytes = call.read() as Buffer | null;
    if (bytes !== null) {
      yield decode(bytes);
      waitingSince = performance.now();
      continue;
    }
    if (ended) return;
    const left = waitingSince + idleMs - performance.now();
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
