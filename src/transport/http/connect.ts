import {
  createRegistry,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import {
  type ConnectRouter,
  createConnectRouter,
  createContextValues,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import type {
  UniversalHandler,
  UniversalServerRequest,
  UniversalServerResponse,
} from "@connectrpc/connect/protocol";
import { compressionGzip } from "@connectrpc/connect-node";
import pLimit from "p-limit";
import { file_google_rpc_error_details } from "#gen/google/rpc/error_details_pb.js";
import { type Reason, RecollectError } from "../../domain/errors.ts";
import { yieldToEventLoop } from "../../lib/yield-to-event-loop.ts";
import type { CallContext } from "../../services/call.ts";
import { MAX_DECOMPRESSING } from "../bounds/limits.ts";
import { markRefused } from "../bounds/refused-item.ts";
import type { RequestReader } from "../bounds/request-reader.ts";
import { isEndless, MAX_TIMEOUT_MS } from "../grpc/timeout.ts";
import { type AnyHandler, Encoded, notServed, preparingHandler, type ServedService } from "../handler.ts";
import type { Pipeline } from "../pipeline.ts";
import type { UnfinishedRequests } from "../unfinished-requests.ts";
import { checkedRequest } from "./checked-request.ts";
import { completeErrors, refuseBidi } from "./complete-errors.ts";
import { callIn, GIVEN_UP, HttpCall, setCall } from "./http-call.ts";
import type { ReceivingOptions } from "./received-body.ts";

export interface ConnectOptions {
  readonly services: readonly ServedService[];
  readonly pipeline: Pipeline;
  readonly readerOf: (method: DescMethod) => RequestReader;
  readonly unfinished: UnfinishedRequests;
  readonly maxMessageBytes: number;
  /** Called for each call that ends before its handler. */
  readonly onRefused: (path: string, reason: Reason, text: string) => void;
  /** Aborts calls in flight when the server stops waiting for them. */
  readonly stopping: AbortSignal;
}

/** The handlers of the services over Connect, gRPC-web and JSON, by the path of each method. */
export function createConnectHandlers(options: ConnectOptions): Map<string, UniversalHandler> {
  const router: ConnectRouter = createConnectRouter({
    // gRPC needs HTTP/2, and has a server of its own.
    grpc: false,
    acceptCompression: [compressionGzip],
    // Requests may be compressed; compressing responses would cost more time than it saves.
    compressMinBytes: Number.MAX_SAFE_INTEGER,
    // To write the details of errors inside responses.
    jsonOptions: { registry: createRegistry(file_google_rpc_error_details), ignoreUnknownFields: false },
    readMaxBytes: options.maxMessageBytes,
    // No writeMaxBytes: responses are bounded by their protobuf encoding (max_answer_bytes), and may take several times
    // that as JSON.
    shutdownSignal: options.stopping,
    // Before the body is read.
    requestGate: ({ values }) => {
      const { refusal } = callIn(values);
      if (refusal !== undefined) throw refusal;
    },
  });
  for (const served of options.services) {
    // Options here would replace those above, and turn gRPC on (connect-es, ConnectRouter.service).
    router.service(served.service, implementationOf(served));
  }
  const isServed = (method: DescMethod): boolean =>
    options.services.some(
      ({ service, handlers }) => service === method.parent && method.localName in handlers,
    );
  const receiving = { ...options, decompressing: pLimit(MAX_DECOMPRESSING) };
  return new Map(
    router.handlers.map((handler) => [
      handler.requestPath,
      refuseBidi(
        arriving(forgetEndlessTimeouts(completeErrors(handler, options)), options.pipeline, receiving, {
          reader: isServed(handler.method) ? options.readerOf(handler.method) : undefined,
        }),
        { isServed, onRefused: options.onRefused },
      ),
    ]),
  );
}

/**
 * Authenticates the caller when the headers have arrived, and checks the request before the library decodes it. A
 * refused call goes on to the library, which answers it as its protocol demands.
 */
function arriving(
  handler: UniversalHandler,
  pipeline: Pipeline,
  receiving: ReceivingOptions,
  { reader }: { readonly reader: RequestReader | undefined },
): UniversalHandler {
  const arrive = async (request: UniversalServerRequest): Promise<UniversalServerResponse> => {
    const contextValues = createContextValues();
    const call = new HttpCall(handler.method, request.header, pipeline);
    setCall(contextValues, call);
    // The quoted form of a value is equivalent (RFC 9110, 5.6.6); the library accepts the other one only.
    const type = request.header.get("content-type")?.replace(/charset="([^"]*)"/i, "charset=$1");
    if (type !== undefined) request.header.set("content-type", type);
    let checked = request;
    try {
      call.running.arrive();
      if (reader === undefined) throw notServed(handler.method);
      checked = await checkedRequest(request, call, reader, receiving);
    } catch (error) {
      call.refusal = call.fail(error);
    }
    return handler({ ...checked, contextValues });
  };
  return Object.assign(arrive, handler);
}

/** Removes timeouts beyond the maximum of a timer: the library would start a timer that fires immediately. */
function forgetEndlessTimeouts(handler: UniversalHandler): UniversalHandler {
  const timed = (request: Parameters<UniversalHandler>[0]): ReturnType<UniversalHandler> => {
    const { header } = request;
    if (Number(header.get("connect-timeout-ms")) > MAX_TIMEOUT_MS) header.delete("connect-timeout-ms");
    if (isEndless(header.get("grpc-timeout") ?? "")) header.delete("grpc-timeout");
    return handler(request);
  };
  return Object.assign(timed, handler);
}

type Implementation = Partial<ServiceImpl<DescService>>;
type Response = MessageInitShape<DescMethod["output"]>;

/** All methods of a service; one without a handler is refused before its request is read. */
function implementationOf({ service, handlers }: ServedService): Implementation {
  const implementation: unknown = Object.fromEntries(
    service.methods.map((method) => [method.localName, adapt(method, handlers[method.localName])]),
  );
  return implementation as Implementation;
}

function adapt(
  method: DescMethod,
  handler: AnyHandler | undefined,
): (request: never, context: HandlerContext) => unknown {
  const streaming = method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming";
  const received = (request: unknown, call: HttpCall): unknown =>
    isStream(request) ? receiveEach(request, call) : receiveOne(request as object, call);
  if (!streaming) {
    const steps = handler && preparingHandler(handler);
    return async (request, context) => {
      const call = callIn(context.values);
      const { running } = call;
      call.handle(context);
      try {
        running.admit();
        if (steps === undefined) throw notServed(method);
        const message = received(request, call);
        if (call.isLarge) await yieldToEventLoop();
        const prepared = steps.prepare(message as Message, running.context.caller);
        const response = await steps.handle(prepared, running.context);
        // The handler may have ignored its signal, and the library does not enforce deadlines.
        call.signal().throwIfAborted();
        running.succeed();
        return response instanceof Encoded ? fromBinary(method.output, response.bytes) : response;
      } catch (error) {
        throw call.fail(error);
      }
    };
  }
  const handle = handler as ((requests: unknown, context: CallContext) => unknown) | undefined;
  return async function* (request, context) {
    const call = callIn(context.values);
    const { running } = call;
    call.handle(context);
    let finished = false;
    try {
      running.admit();
      if (handle === undefined) throw notServed(method);
      yield* handle(received(request, call), running.context) as AsyncIterable<Response>;
      call.signal().throwIfAborted();
      finished = true;
      running.succeed();
    } catch (error) {
      finished = true;
      throw call.fail(error);
    } finally {
      // When the caller disconnects, the library returns from the generator, and only this runs.
      if (!finished) call.fail(new RecollectError("CALL_CANCELLED", GIVEN_UP));
    }
  };
}

function isStream(request: unknown): request is AsyncIterable<object> {
  return typeof request === "object" && request !== null && Symbol.asyncIterator in request;
}

function receiveOne(request: object, { running, refusedItems }: HttpCall): object {
  markRefused(request, refusedItems.shift() ?? []);
  running.receive(request);
  return request;
}

async function* receiveEach(requests: AsyncIterable<object>, call: HttpCall): AsyncIterable<object> {
  for await (const request of requests) yield receiveOne(request, call);
}
