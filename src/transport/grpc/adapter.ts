import {
  create,
  type DescMethod,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type * as grpc from "@grpc/grpc-js";
import { RecollectError } from "../../domain/errors.ts";
import { yieldToEventLoop } from "../../lib/yield-to-event-loop.ts";
import type { CallContext } from "../../services/call.ts";
import { MAX_BYTES_AT_ONCE } from "../bounds/limits.ts";
import type { RequestReader } from "../bounds/request-reader.ts";
import {
  type AnyHandler,
  Encoded,
  methodPath,
  notServed,
  type PreparingHandler,
  preparingHandler,
  type ServedService,
} from "../handler.ts";
import type { RunningCall } from "../pipeline.ts";
import type { Status } from "../status.ts";
import { arrivalOf } from "./arrival.ts";
import { endReason, type ServerCall } from "./grpc-call.ts";
import { type RequestCache, requestCacheOf } from "./request-cache.ts";
import { decodeStream } from "./request-stream.ts";
import { toServiceError } from "./service-error.ts";

type Reply = grpc.sendUnaryData<Buffer>;
type Response = MessageInitShape<DescMethod["output"]>;

/** For grpc-js, messages are bytes: they are decoded inside the pipeline, so that a malformed one is an error of the API. */
const raw = (bytes: Buffer): Buffer => bytes;

/** Dependencies shared by the methods of all services. */
export interface ServingOptions {
  readonly readerOf: (method: DescMethod) => RequestReader;
  /** The next message of a request stream must arrive within this. */
  readonly streamIdleMs: number;
  readonly stopping: AbortSignal;
}

/** Registers all methods of a service; those without a handler answer METHOD_NOT_SERVED. */
export function addService(server: grpc.Server, served: ServedService, options: ServingOptions): void {
  for (const method of served.service.methods) {
    const handler = served.handlers[method.localName];
    // grpc-js has a type of handler for each of the four kinds; a runner serves all of them.
    const run: unknown = runnerOf(method, handler, options);
    server.register(
      methodPath(method),
      run as grpc.handleUnaryCall<Buffer, Buffer>,
      raw,
      raw,
      typeOf(method),
    );
  }
}

/** The handler of a path that no service has: answers METHOD_UNKNOWN. */
export function unknownMethod(
  path: string,
  statusOf: (error: RecollectError) => Status,
): grpc.handleBidiStreamingCall<unknown, unknown> {
  return (call) => {
    const error = new RecollectError("METHOD_UNKNOWN", `there is no method ${path}`, {
      metadata: { method: path },
    });
    call.emit("error", toServiceError(statusOf(error)));
  };
}

/** Handler kinds in the spelling of grpc-js. */
function typeOf(method: DescMethod): string {
  const types = {
    unary: "unary",
    server_streaming: "serverStream",
    client_streaming: "clientStream",
    bidi_streaming: "bidi",
  } as const;
  return types[method.methodKind];
}

/** The function that grpc-js calls. It must not throw or reject: grpc-js would never answer the call. */
function runnerOf(
  method: DescMethod,
  handler: AnyHandler | undefined,
  options: ServingOptions,
): (call: ServerCall, reply: Reply) => void {
  const begin = beginnerOf(method, handler, options);
  const { stopping } = options;
  if (method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming") {
    return async (call) => {
      const { incoming, running } = arrivalOf(call.metadata);
      incoming.handle(call, stopping);
      const { signal } = running.context;
      try {
        await sendAll(call, method, begin(call, running) as AsyncIterable<Response>, signal);
        signal.throwIfAborted();
        running.succeed();
        call.end();
      } catch (error) {
        call.emit("error", failureOf(call, running, signal.reason ?? error));
      }
    };
  }
  return async (call, reply) => {
    const { incoming, running } = arrivalOf(call.metadata);
    incoming.handle(call, undefined);
    try {
      const bytes = encode(method, (await begin(call, running)) as Response | Encoded);
      // The handler may have ignored its signal; grpc-js has then answered, and drops this answer.
      if (call.cancelled) throw endReason(call);
      running.succeed();
      incoming.release();
      reply(null, bytes);
    } catch (error) {
      reply(failureOf(call, running, error));
    }
  };
}

/** Admits a call, reads its request or requests, and calls the handler. */
function beginnerOf(
  method: DescMethod,
  handler: AnyHandler | undefined,
  { readerOf, streamIdleMs }: ServingOptions,
): (call: ServerCall, running: RunningCall) => unknown {
  if (handler === undefined) {
    return (_, running) => {
      running.admit();
      // Refused before its request is read.
      throw notServed(method);
    };
  }
  const reader = readerOf(method);
  if (method.methodKind === "unary")
    return unaryBeginnerOf(reader, preparingHandler(handler), requestCacheOf(method));
  const handle = handler as (request: unknown, context: CallContext) => unknown;
  return (call, running) => {
    running.admit();
    const request =
      method.methodKind === "server_streaming"
        ? decode(call.request, reader, running)
        : decodeStream(call, running, (bytes) => decode(bytes, reader, running), streamIdleMs);
    return handle(request, running.context);
  };
}

function unaryBeginnerOf(
  reader: RequestReader,
  { prepare, handle }: PreparingHandler<DescMethod, object>,
  requests: RequestCache | undefined,
): (call: ServerCall, running: RunningCall) => Promise<Response | Encoded> {
  return async ({ request }, running) => {
    running.admit();
    const { context } = running;
    const { caller } = context;
    if (requests !== undefined && request.length <= MAX_BYTES_AT_ONCE) {
      const prepared = requests.get(caller, request, () => prepare(decode(request, reader, running), caller));
      return handle(prepared, context);
    }
    const message = decode(request, reader, running);
    if (request.length > MAX_BYTES_AT_ONCE) await yieldToEventLoop();
    return handle(prepare(message, caller), context);
  };
}

/** A cancellation or passed deadline takes precedence over the error of the handler. */
function failureOf(call: ServerCall, running: RunningCall, error: unknown): grpc.ServiceError {
  return toServiceError(running.fail(call.cancelled ? endReason(call) : error));
}

function decode(
  bytes: Buffer,
  reader: RequestReader,
  running: RunningCall,
): MessageShape<DescMethod["input"]> {
  const message = reader.decode(bytes);
  running.receive(message);
  return message;
}

function encode(method: DescMethod, response: Response | Encoded): Buffer {
  if (response instanceof Encoded) return response.bytes;
  const bytes = toBinary(method.output, create(method.output, response));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Bytes of a response stream that may be buffered before the handler is paused; the last message may exceed it. */
const MAX_UNREAD_BYTES = 64 * 1024;

/** Sends as fast as the caller reads: requests the next message from the handler when few bytes are buffered. */
async function sendAll(
  call: ServerCall,
  method: DescMethod,
  responses: AsyncIterable<Response>,
  signal: AbortSignal,
): Promise<void> {
  let unread = 0;
  let wake = (): void => undefined;
  signal.addEventListener("abort", () => wake(), { once: true });
  for await (const response of responses) {
    signal.throwIfAborted();
    const bytes = encode(method, response);
    unread += bytes.length;
    call.write(bytes, () => {
      unread -= bytes.length;
      wake();
    });
    while (unread > MAX_UNREAD_BYTES) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      signal.throwIfAborted();
    }
  }
}
