import { type DescMethod, toBinary } from "@bufbuild/protobuf";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { type Reason, RecollectError } from "../../domain/errors.ts";
import { methodPath, notServed } from "../handler.ts";
import { type Status, statusOf } from "../status.ts";

/** Codes that the library answers before a handler runs, and the reason of each. */
const REASONS: Readonly<Record<string, Reason>> = {
  invalid_argument: "REQUEST_MALFORMED",
  resource_exhausted: "REQUEST_TOO_LARGE",
  deadline_exceeded: "DEADLINE_EXCEEDED",
  // For unsupported encodings; the pipeline refuses methods without a handler.
  unimplemented: "REQUEST_MALFORMED",
  canceled: "CALL_CANCELLED",
  internal: "INTERNAL",
};

interface ErrorBody {
  readonly code?: string;
  readonly message?: string;
  readonly details?: readonly unknown[];
}

/**
 * Adds ErrorInfo to the JSON body of unary calls that the library refuses below all handlers and interceptors: for broken
 * JSON, a body over the size limit, or an encoding that is not supported.
 */
export function completeErrors(
  handler: UniversalHandler,
  options: {
    readonly maxMessageBytes: number;
    /** Called for each call that the library refuses; the text is for the log. */
    readonly onRefused: (path: string, reason: Reason, text: string) => void;
  },
): UniversalHandler {
  const complete = async (request: Parameters<UniversalHandler>[0]): Promise<UniversalServerResponse> => {
    const response = await handler(request);
    const type = response.header?.get("content-type") ?? "";
    if (response.status < 400 || type !== "application/json" || response.body === undefined) return response;
    const body = await readAll(response.body);
    const error = JSON.parse(body.toString("utf8")) as ErrorBody;
    const reason = REASONS[error.code ?? ""];
    if (reason === undefined || (error.details ?? []).length > 0) return { ...response, body: once(body) };
    const path = methodPath(handler.method);
    options.onRefused(path, reason, error.message ?? "");
    const status = completeStatus(error, reason, path, options.maxMessageBytes);
    const completed = Buffer.from(JSON.stringify(connectErrorBody(error.code ?? "", status)));
    response.header?.set("content-length", String(completed.byteLength));
    return { ...response, body: once(completed) };
  };
  return Object.assign(complete, {
    protocolNames: handler.protocolNames,
    supportedContentType: handler.supportedContentType,
    allowedMethods: handler.allowedMethods,
    requestPath: handler.requestPath,
    service: handler.service,
    method: handler.method,
  });
}

function completeStatus(error: ErrorBody, reason: Reason, method: string, maxMessageBytes: number): Status {
  const metadata = reason === "REQUEST_TOO_LARGE" ? { max_bytes: String(maxMessageBytes) } : { method };
  // The text of an internal error is for the log.
  const text = reason === "INTERNAL" ? "internal error" : (error.message ?? "");
  return statusOf(new RecollectError(reason, text, { metadata }), "");
}

/**
 * Refuses streams in both directions, which HTTP/1.1 does not have, with METHOD_NOT_SERVED; the library answers a bare
 * 505. Closes the connection, because a client that expects such a stream may go on sending.
 */
export function refuseBidi(
  handler: UniversalHandler,
  options: {
    readonly isServed: (method: DescMethod) => boolean;
    readonly onRefused: (path: string, reason: Reason, text: string) => void;
  },
): UniversalHandler {
  const { method } = handler;
  if (method.methodKind !== "bidi_streaming") return handler;
  const refuse = async (): Promise<UniversalServerResponse> => {
    const path = methodPath(method);
    const error = options.isServed(method)
      ? new RecollectError(
          "METHOD_NOT_SERVED",
          `${path} is a stream in both directions, which HTTP/1.1 does not have; call it over gRPC`,
          { metadata: { method: path } },
        )
      : notServed(method);
    options.onRefused(path, error.reason, error.message);
    return {
      status: 501,
      header: new Headers({ "content-type": "application/json", connection: "close" }),
      body: once(Buffer.from(JSON.stringify(connectErrorBody("unimplemented", statusOf(error, ""))))),
    };
  };
  return Object.assign(refuse, handler);
}

/** An error in the JSON of the Connect protocol. */
export function connectErrorBody(code: string, status: Status): object {
  return { code, message: status.message, details: connectDetails(status) };
}

/** https://connectrpc.com/docs/protocol#error-end-stream: type name and base64 without padding. */
function connectDetails(status: Status): object[] {
  return status.details.map(({ desc, value }) => ({
    type: desc.typeName,
    value: Buffer.from(toBinary(desc, value)).toString("base64").replace(/=+$/, ""),
  }));
}

async function readAll(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
