import type { UniversalHandler } from "@connectrpc/connect/protocol";
import type { IncomingCall } from "../pipeline.ts";

/** What says how a body is packed; it no longer is. */
const ENCODINGS = ["content-encoding", "connect-content-encoding", "grpc-encoding", "content-length"];

/**
 * The library reads and parses the body of a call before the pipeline begins. A call that the screen refuses goes on
 * with an empty request in the place of its own: the pipeline then refuses it for the same reason, in the shape that
 * its protocol wants, and nothing of a stranger's body has been looked at.
 */
export function unreadFromStrangers(
  handler: UniversalHandler,
  screen: ((call: IncomingCall) => void) | undefined,
): UniversalHandler {
  if (screen === undefined) return handler;
  const screened = (request: Parameters<UniversalHandler>[0]): ReturnType<UniversalHandler> => {
    const { header, signal } = request;
    try {
      screen({
        door: "http",
        method: handler.method,
        peer: () => "http",
        header: (name) => header.get(name) ?? undefined,
        signal: () => signal,
        remainingMs: () => Number.POSITIVE_INFINITY,
      });
    } catch {
      // Not lost: the pipeline comes upon the same, and answers with it.
      const body = emptyRequest(header.get("content-type") ?? "");
      for (const name of ENCODINGS) header.delete(name);
      return handler({ ...request, url: withoutMessage(request.url), body: once(body) });
    }
    return handler(request);
  };
  return Object.assign(screened, handler);
}

/** A message without fields: `{}` in JSON, no bytes otherwise; all but unary Connect put 5 bytes in front. */
function emptyRequest(contentType: string): Buffer {
  const message = Buffer.from(contentType.includes("json") ? "{}" : "");
  if (/^application\/(json|proto)\b/.test(contentType)) return message;
  return Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
}

/** A read that comes as GET has its message in the address. https://connectrpc.com/docs/protocol/#unary-get-request */
function withoutMessage(address: string): string {
  const url = new URL(address);
  if (url.searchParams.has("message")) url.search = "?connect=v1&encoding=json&message=%7B%7D";
  return url.href;
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
