import { type DescMethod, type DescService, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Code as ConnectCode,
  ConnectError,
  type ConnectRouter,
  createConnectRouter,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { compressionGzip } from "@connectrpc/connect-node";
import { type Reason, RecollectError } from "../../domain/errors.ts";
import type { CallContext } from "../../services/call.ts";
import { isEndless, MAX_TIMEOUT_MS } from "../grpc/timeout.ts";
import { Encoded, notServed, type ServedService } from "../handler.ts";
import type { IncomingCall, Pipeline, RunningCall } from "../pipeline.ts";
import { Code, type Status } from "../status.ts";
import { completeErrors, refuseBidi } from "./complete-errors.ts";
import { unreadFromStrangers } from "./unread-from-strangers.ts";

export interface ConnectOptions {
  readonly services: readonly ServedService[];
  readonly pipeline: Pipeline;
  /** Throws when nobody who may make the call is calling, before its body is read. Undefined: everyone may. */
  readonly screen?: (call: IncomingCall) => void;
  readonly maxMessageBytes: number;
  /** Called for each call that ended before any handler. */
  readonly onRefused: (path: string, reason: Reason, text: string) => void;
  /** Aborts calls in flight when the server stops waiting for them. */
  readonly stopping: AbortSignal;
}

/** The same handlers as on the gRPC door, over Connect, gRPC-web and JSON, by the path of each method. */
export function createConnectHandlers(options: ConnectOptions): Map<string, UniversalHandler> {
  const router: ConnectRouter = createConnectRouter({
    // gRPC has a door of its own; over HTTP/1.1 it would not work.
    grpc: false,
    acceptCompression: [compressionGzip],
    // Requests may come compressed; compressing answers would cost more time than it saves.
    compressMinBytes: Number.MAX_SAFE_INTEGER,
    readMaxBytes: options.maxMessageBytes,
    writeMaxBytes: options.maxMessageBytes,
    shutdownSignal: options.stopping,
  });
  for (const served of options.services) {
    // Options here would turn on the protocols that are off above (connect-es, ConnectRouter.service).
    router.service(served.service, implementationOf(served, options.pipeline));
  }
  const isServed = (method: DescMethod): boolean =>
    options.services.some(
      ({ service, handlers }) => service === method.parent && method.localName in handlers,
    );
  return new Map(
    router.handlers.map((handler) => [
      handler.requestPath,
      refuseBidi(
        unreadFromStrangers(forgetEndlessTimeouts(completeErrors(handler, options)), options.screen),
        {
          isServed,
          onRefused: options.onRefused,
        },
      ),
    ]),
  );
}

/** The library gives any timeout to a timer, which runs at once when it cannot hold it. Such a call has none. */
function forgetEndlessTimeouts(handler: UniversalHandler): UniversalHandler {
  const timed = (request: Parameters<UniversalHandler>[0]): ReturnType<UniversalHandler> => {
    const { header } = request;
    if (Number(header.get("connect-timeout-ms")) > MAX_TIMEOUT_MS) header.delete("connect-timeout-ms");
    if (isEndless(header.get("grpc-timeout") ?? "")) header.delete("grpc-timeout");
    return handler(request);
  };
  return Object.assign(timed, handler);
}

const GIVEN_UP = "the call was cancelled";

type Implementation = Partial<ServiceImpl<DescService>>;
type Response = MessageInitShape<DescMethod["output"]>;

/** Every method: one without a handler is refused inside the pipeline, so that it is measured and explained too. */
function implementationOf({ service, handlers }: ServedService, pipeline: Pipeline): Implementation {
  const implementation: unknown = Object.fromEntries(
    service.methods.map((method) => [
      method.localName,
      adapt(method, handlers[method.localName] as never, pipeline),
    ]),
  );
  return implementation as Implementation;
}

function adapt(
  method: DescMethod,
  handler: ((request: unknown, context: CallContext) => unknown) | undefined,
  pipeline: Pipeline,
): (request: never, context: HandlerContext) => unknown {
  const streaming = method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming";
  const begin = (context: HandlerContext, signal: AbortSignal): RunningCall =>
    pipeline({
      door: "http",
      method,
      peer: () => "http",
      header: (name) => context.requestHeader.get(name) ?? undefined,
      signal: () => signal,
      remainingMs: () => context.timeoutMs() ?? Number.POSITIVE_INFINITY,
    });
  const received = (request: unknown, running: RunningCall): unknown => {
    if (!isStream(request)) {
      running.receive(request as object);
      return request;
    }
    return receiveEach(request, running);
  };
  if (!streaming) {
    return async (request, context) => {
      const signal = explained(context.signal);
      const running = begin(context, signal);
      try {
        running.admit();
        if (handler === undefined) throw notServed(method);
        const response = await handler(received(request, running), running.context);
        // The library keeps no deadlines; a handler may not notice that one has passed.
        signal.throwIfAborted();
        running.succeed();
        return response instanceof Encoded ? fromBinary(method.output, response.bytes) : response;
      } catch (error) {
        // What fails once the call has been ended from outside fails because of that: nothing is wrong inside.
        throw toConnectError(running.fail(signal.reason ?? error));
      }
    };
  }
  return async function* (request, context) {
    const signal = explained(context.signal);
    const running = begin(context, signal);
    let ended = false;
    try {
      running.admit();
      if (handler === undefined) throw notServed(method);
      yield* handler(received(request, running), running.context) as AsyncIterable<Response>;
      signal.throwIfAborted();
      ended = true;
      running.succeed();
    } catch (error) {
      ended = true;
      throw toConnectError(running.fail(signal.reason ?? error));
    } finally {
      // The library stops asking when the caller has gone; then this alone runs.
      if (!ended) running.fail(signal.reason ?? new RecollectError("CALL_CANCELLED", GIVEN_UP));
    }
  };
}

function isStream(request: unknown): request is AsyncIterable<object> {
  return typeof request === "object" && request !== null && Symbol.asyncIterator in request;
}

async function* receiveEach(requests: AsyncIterable<object>, running: RunningCall): AsyncIterable<object> {
  for await (const request of requests) {
    running.receive(request);
    yield request;
  }
}

/** The library's signal, with a reason of ours: what throws it then answers with the right status. */
function explained(signal: AbortSignal): AbortSignal {
  const ours = new AbortController();
  const abort = (): void => ours.abort(endReason(signal.reason));
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return ours.signal;
}

function endReason(reason: unknown): RecollectError {
  if (reason instanceof RecollectError) return reason;
  return reason instanceof ConnectError && reason.code === ConnectCode.DeadlineExceeded
    ? new RecollectError("DEADLINE_EXCEEDED", "the deadline has passed")
    : new RecollectError("CALL_CANCELLED", GIVEN_UP);
}

/** Codes of Connect are those of gRPC. */
function toConnectError(status: Status): ConnectError {
  return new ConnectError(
    status.message,
    Code[status.code] as ConnectCode,
    undefined,
    status.details.map(({ desc, value }) => ({ desc, value: value as never })),
  );
}
