import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { RecollectError } from "../../domain/errors.ts";
import { statusOf } from "../status.ts";
import { toServiceError } from "./service-error.ts";
import { timeoutMs } from "./timeout.ts";

/** What is known of a call when its headers are there. */
export interface BeginningCall {
  readonly path: string;
  header(name: string): string | undefined;
  /** Milliseconds that its caller gives it; Infinity: not known. */
  readonly remainingMs: number;
}

/** Why a call is refused by its headers alone; undefined: it is not. */
export type RefuseEarly = (call: BeginningCall) => RecollectError | undefined;

/**
 * Answers a call that is refused by its headers, beneath grpc-js, and says whether it was. With more calls than can be
 * served, most are refused: so each takes 110 microseconds of the processor and not 250, most of it node:http2's
 * (measured; grpc-js makes some twenty objects for a call, and reads its message).
 */
export function refusesStream(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  refuse: RefuseEarly,
): boolean {
  const { ":path": path, "content-type": contentType } = headers;
  // Whatever else comes is grpc-js's to answer.
  if (path === undefined || contentType?.startsWith("application/grpc") !== true) return false;
  const refusal = refuse({
    path,
    header: (name) => {
      const value = headers[name];
      return Array.isArray(value) ? value[0] : value;
    },
    remainingMs: timeoutMs(headers["grpc-timeout"]),
  });
  if (refusal === undefined) return false;
  // A caller that resets the stream meanwhile is nobody's fault.
  stream.on("error", ignore);
  stream.respond(answerOf(refusal), { endStream: true });
  // The message is not looked at.
  stream.resume();
  return true;
}

const answers = new WeakMap<RecollectError, OutgoingHttpHeaders>();

/** A response without messages. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses */
function answerOf(refusal: RecollectError): OutgoingHttpHeaders {
  let answer = answers.get(refusal);
  if (answer === undefined) {
    const { code, details, metadata } = toServiceError(statusOf(refusal, ""));
    answer = {
      ":status": 200,
      "content-type": "application/grpc+proto",
      "grpc-status": String(code),
      "grpc-message": encodeURI(details),
      ...metadata.toHttp2Headers(),
    };
    answers.set(refusal, answer);
  }
  return answer;
}

function ignore(): void {
  // See refusesStream.
}
