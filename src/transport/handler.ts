import type { DescMethod, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { CallerName } from "../domain/access/tenancy.ts";
import { RecollectError } from "../domain/errors.ts";
import type { CallContext } from "../services/call.ts";

type Request<M extends DescMethod> = MessageShape<M["input"]>;
type Response<M extends DescMethod> = MessageInitShape<M["output"]>;

/**
 * A response as the bytes of its message, for responses whose large part is cached encoded. The gRPC server sends them as
 * they are; the HTTP server decodes them, because it may have to send JSON.
 */
export class Encoded {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
}

/** The handler of one RPC, for both transports. */
export type Handler<M extends DescMethod> = {
  unary: (request: Request<M>, context: CallContext) => Promise<Response<M> | Encoded>;
  server_streaming: (request: Request<M>, context: CallContext) => AsyncIterable<Response<M>>;
  client_streaming: (requests: AsyncIterable<Request<M>>, context: CallContext) => Promise<Response<M>>;
  bidi_streaming: (requests: AsyncIterable<Request<M>>, context: CallContext) => AsyncIterable<Response<M>>;
}[M["methodKind"]];

/**
 * A unary handler in two steps. What `prepare` returns depends on its arguments alone, so it may be cached for the next time
 * that the same caller sends the same request: the gRPC server does so for methods that are NO_SIDE_EFFECTS (see
 * docs/design/prepared-lookup.md). Roles, settings and the time of the call are for `handle`.
 */
export interface PreparingHandler<M extends DescMethod, Prepared extends object> {
  /** Throws for an invalid request, beyond the rules in the proto. */
  prepare(request: Request<M>, caller: CallerName): Prepared;
  handle(prepared: Prepared, context: CallContext): Promise<Response<M> | Encoded>;
}

/** The handlers of a service. An RPC that has none answers UNIMPLEMENTED with METHOD_NOT_SERVED. */
export type Handlers<S extends DescService> = {
  readonly [K in keyof S["method"]]?: Handler<S["method"][K]> | PreparingHandler<S["method"][K], object>;
};

/** A service with its handlers, for both servers. `serve` has checked the types of the handlers. */
export interface ServedService {
  readonly service: DescService;
  readonly handlers: Readonly<Record<string, AnyHandler | undefined>>;
}

/** A handler whose call kind is known from its method alone. */
export type AnyHandler =
  | ((request: never, context: CallContext) => unknown)
  | PreparingHandler<DescMethod, object>;

/** A unary handler as two steps. For a handler that is a function, the prepared value is the request. */
export function preparingHandler(handler: AnyHandler): PreparingHandler<DescMethod, object> {
  if (typeof handler !== "function") return handler;
  return { prepare: (request) => request, handle: handler as PreparingHandler<DescMethod, object>["handle"] };
}

export function serve<S extends DescService>(service: S, handlers: Handlers<S>): ServedService {
  return { service, handlers: handlers as Readonly<Record<string, AnyHandler | undefined>> };
}

/** `/package.Service/Method`, as gRPC names a method on the wire. */
export function methodPath(method: DescMethod): string {
  let path = paths.get(method);
  if (path === undefined) {
    path = `/${method.parent.typeName}/${method.name}`;
    paths.set(method, path);
  }
  return path;
}

/** Each call uses the path several times as a key: one string object is hashed once. */
const paths = new WeakMap<DescMethod, string>();

/** The error of an RPC without a handler, over both transports. */
export function notServed(method: DescMethod): RecollectError {
  const path = methodPath(method);
  return new RecollectError("METHOD_NOT_SERVED", `${path} is not served by this version`, {
    metadata: { method: path },
  });
}

/** A field that validation requires. */
export function required<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError("a required field is missing after validation");
  return value;
}
