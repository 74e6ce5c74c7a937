import { once } from "node:events";
import {
  create,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { StatusSchema } from "#gen/google/rpc/status_pb.js";
import { RecollectError } from "../../domain/errors.ts";
import type { CallContext } from "../../services/call.ts";
import { Encoded, methodPath, notServed, type ServedService } from "../handler.ts";
import type { IncomingCall, Pipeline, RunningCall } from "../pipeline.ts";
import { Code, type Status, toRpcStatus } from "../status.ts";
import { type KnownRequests, knownRequestsOf } from "./known-requests.ts";
import { MAX_TIMEOUT_MS } from "./timeout.ts";

/** grpc-js's calls, as far as all four kinds have them in common. */
type ServerCall = grpc.ServerUnaryCall<Buffer, Buffer> & grpc.ServerDuplexStream<Buffer, Buffer>;
type Reply = grpc.sendUnaryData<Buffer>;
type Requests = AsyncIterable<MessageShape<DescMethod["input"]>>;
type Response = MessageInitShape<DescMethod["output"]>;

/** Messages are decoded and encoded here, inside the pipeline, so that a malformed one is an error like any other. */
const raw = (bytes: Buffer): Buffer => bytes;

/** Everything that grpc-js needs to know to serve a service: the only file that knows its calls. */
export function addService(
  server: grpc.Server,
  served: ServedService,
  pipeline: Pipeline,
  stopping: AbortSignal,
): void {
  for (const method of served.service.methods) {
    const handler = served.handlers[method.localName];
    // grpc-js types the four kinds apart by what it calls them with; ours takes any of them.
    const run: unknown = runnerOf(method, handler as never, pipeline, stopping);
    server.register(
      methodPath(method),
      run as grpc.handleUnaryCall<Buffer, Buffer>,
      raw,
      raw,
      typeOf(method),
    );
  }
}

/** Answers METHOD_UNKNOWN to a path that no service has; registered for each such path by server.ts. */
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

function typeOf(method: DescMethod): string {
  const types = {
    unary: "unary",
    server_streaming: "serverStream",
    client_streaming: "clientStream",
    bidi_streaming: "bidi",
  } as const;
  return types[method.methodKind];
}

type Handler = ((request: unknown, context: CallContext) => unknown) | undefined;

/** A function that throws here, or rejects, would leave the caller hanging: everything that can is inside a try. */
function runnerOf(
  method: DescMethod,
  handler: Handler,
  pipeline: Pipeline,
  stopping: AbortSignal,
): (call: ServerCall, reply: Reply) => void {
  const known = knownRequestsOf(method);
  const requestStream = method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming";
  const begin = (call: ServerCall, running: RunningCall): unknown => {
    running.admit();
    if (handler === undefined) throw notServed(method);
    const request = requestStream
      ? decodeStream(call, method, running)
      : (known?.find(call.request) ?? decode(call.request, method, running, known));
    return handler(request, running.context);
  };
  if (method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming") {
    return async (call) => {
      const running = pipeline(new GrpcCall(call, method, stopping));
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
  return (call, reply) => {
    const incoming = new GrpcCall(call, method, undefined);
    const running = pipeline(incoming);
    const fail = (error: unknown): void => reply(failureOf(call, running, error));
    const succeed = (response: Response | Encoded): void => {
      try {
        const bytes = encode(method, response);
        // A handler may not notice; grpc-js has answered then, and this answer goes nowhere.
        if (call.cancelled) throw endReason(call);
        running.succeed();
        incoming.release();
        reply(null, bytes);
      } catch (error) {
        fail(error);
      }
    };
    try {
      const response = begin(call, running) as Response | Encoded | Promise<Response | Encoded>;
      if (response instanceof Promise) response.then(succeed, fail);
      else succeed(response);
    } catch (error) {
      fail(error);
    }
  };
}

/** What fails once the call has been ended from outside fails because of that: nothing is wrong inside. */
function failureOf(call: ServerCall, running: RunningCall, error: unknown): grpc.ServiceError {
  return toServiceError(running.fail(call.cancelled ? endReason(call) : error));
}

function decode(
  bytes: Buffer,
  method: DescMethod,
  running: RunningCall,
  known?: KnownRequests,
): MessageShape<DescMethod["input"]> {
  let message: MessageShape<DescMethod["input"]>;
  try {
    message = fromBinary(method.input, bytes, { readUnknownFields: false });
  } catch (cause) {
    // The parser's text may quote the request; it stays in the log.
    throw new RecollectError("REQUEST_MALFORMED", `the request is not a valid ${method.input.typeName}`, {
      metadata: { method: methodPath(method) },
      cause,
    });
  }
  running.receive(message);
  known?.keep(bytes, message);
  return message;
}

/**
 * Reads a message when the handler asks for the next one, and one ahead: no more is taken from the connection, so that
 * the caller is held up. Not by the stream's own iterator, which destroys the stream, and with it the status that is
 * still to be sent, when the handler has seen enough; and which does not notice that the server stops.
 */
async function* decodeStream(call: ServerCall, method: DescMethod, running: RunningCall): Requests {
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
  for (;;) {
    signal.throwIfAborted();
    const bytes = call.read() as Buffer | null;
    if (bytes !== null) yield decode(bytes, method, running);
    else if (ended) return;
    else {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}

function encode(method: DescMethod, response: Response | Encoded): Buffer {
  if (response instanceof Encoded) return response.bytes;
  const bytes = toBinary(method.output, create(method.output, response));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Sends at the reader's pace: a full buffer is waited for, and only as long as anybody reads. */
async function sendAll(
  call: ServerCall,
  method: DescMethod,
  responses: AsyncIterable<Response>,
  signal: AbortSignal,
): Promise<void> {
  for await (const response of responses) {
    signal.throwIfAborted();
    if (!call.write(encode(method, response))) await once(call, "drain", { signal });
  }
}

/** A class for the sake of the hot path: one object a call, and no function made for it. */
class GrpcCall implements IncomingCall {
  readonly door = "grpc";
  readonly method: DescMethod;
  readonly #call: ServerCall;
  readonly #stopping: AbortSignal | undefined;
  #ending: { readonly signal: AbortSignal; readonly end: () => void } | undefined;

  constructor(call: ServerCall, method: DescMethod, stopping: AbortSignal | undefined) {
    this.#call = call;
    this.method = method;
    this.#stopping = stopping;
  }

  peer(): string {
    return this.#call.getPeer();
  }

  header(name: string): string | undefined {
    return this.#call.metadata.get(name)[0]?.toString();
  }

  remainingMs(): number {
    return Number(this.#call.getDeadline()) - Date.now();
  }

  signal(): AbortSignal {
    this.#ending ??= endingOf(this.#call, this.#stopping);
    return this.#ending.signal;
  }

  /** Before an answer is sent: grpc-js says `cancelled` after a normal end too, when nobody listens to the signal any more. */
  release(): void {
    if (this.#ending !== undefined) this.#call.off("cancelled", this.#ending.end);
  }
}

/** Aborts when the caller gives up or its deadline passes, and for streams when the server stops. */
function endingOf(call: ServerCall, stopping: AbortSignal | undefined) {
  const ended = new AbortController();
  const end = (): void => ended.abort(endReason(call));
  if (call.cancelled) end();
  else call.once("cancelled", end);
  if (stopping === undefined) return { signal: ended.signal, end };
  // At the deadline of a stream, grpc-js waits for its reader before it says so.
  const left = Number(call.getDeadline()) - Date.now();
  if (left <= MAX_TIMEOUT_MS) {
    const timer = setTimeout(end, Math.max(left, 0));
    call.once("cancelled", () => clearTimeout(timer));
  }
  return { signal: AbortSignal.any([ended.signal, stopping]), end };
}

function endReason(call: ServerCall): RecollectError {
  // A timer may run a millisecond early.
  return Number(call.getDeadline()) <= Date.now() + 1
    ? new RecollectError("DEADLINE_EXCEEDED", "the deadline has passed")
    : new RecollectError("CALL_CANCELLED", "the call was cancelled");
}

/** A status as grpc-js sends it. Never an Error: it would send its message as it is, with code UNKNOWN. */
export function toServiceError(status: Status): grpc.ServiceError {
  let error = serviceErrors.get(status);
  if (error === undefined) {
    error = makeServiceError(status);
    serviceErrors.set(status, error);
  }
  return error;
}

/** A status that many calls end with is encoded once. */
const serviceErrors = new WeakMap<Status, grpc.ServiceError>();

function makeServiceError(status: Status): grpc.ServiceError {
  const metadata = new grpc.Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, toRpcStatus(status))));
  return Object.assign(new Error(status.message), {
    code: Code[status.code],
    details: status.message,
    metadata,
  });
}
