import type { Http2Server, ServerHttp2Stream, ServerOptions } from "node:http2";
import type { SecureContextOptions, TlsOptions } from "node:tls";
import * as grpc from "@grpc/grpc-js";

// Every use of private or undocumented parts of grpc-js. Each export says what it relies on;
// internals.test.ts has a test for each, by its name, that fails when an upgrade of grpc-js changes it. The compiler
// checks the names of private members of grpc.Server too, because grpc-js declares them.

type InterceptedCall = Parameters<grpc.ServerInterceptor>[1];
export type PartialStatus = Parameters<InterceptedCall["sendStatus"]>[0];
export type Listener = Parameters<InterceptedCall["start"]>[0];

/**
 * Calls `prepare` with each HTTP/2 server before it listens.
 *
 * Relies on: the private method `createHttp2Server`, by which grpc-js makes all of them.
 */
export function onHttp2Server(
  server: grpc.Server,
  prepare: (http2Server: Http2Server, isSecure: boolean) => void,
): void {
  const createHttp2Server = server["createHttp2Server"].bind(server);
  server["createHttp2Server"] = (credentials: grpc.ServerCredentials) => {
    const http2Server: Http2Server = createHttp2Server(credentials);
    prepare(http2Server, credentials._isSecure());
    return http2Server;
  };
}

/**
 * Sets options of `http2.createServer` for which grpc-js has none.
 *
 * Relies on: the private field `commonServerOptions`, which goes to `http2.createServer` as it is.
 */
export function setHttp2Options(server: grpc.Server, options: ServerOptions): void {
  Object.assign(server["commonServerOptions"], options);
}

/** The handler of one path; `path` is the name of the method in Channelz and traces. */
interface UnknownPathHandler {
  readonly path: string;
  readonly func: grpc.handleBidiStreamingCall<unknown, unknown>;
}

/**
 * Gives a handler to each path that has none registered, in place of the answer of grpc-js, which has no details.
 *
 * Relies on: the private map `handlers`, in which grpc-js looks a path up by `get` for each call, and on the shape of
 * its values.
 */
export function handleUnknownPaths(
  server: grpc.Server,
  handlerOf: (path: string) => UnknownPathHandler,
): void {
  const handlers = server["handlers"];
  const registered = handlers.get.bind(handlers);
  handlers.get = (path: string) =>
    registered(path) ?? {
      ...handlerOf(path),
      type: "bidi",
      serialize: (value: unknown) => value as Buffer,
      deserialize: (bytes: Buffer) => bytes,
    };
}

/**
 * Makes a request stream read one message ahead of its handler. The default is 16, here of up to 16 MiB each.
 *
 * Relies on: the stream of the handler being a `Readable` of Node whose `highWaterMark` counts messages. Node has no way
 * to set it afterwards but the private `_readableState`.
 */
export function readOneAhead(call: object): void {
  const { _readableState: state } = call as { readonly _readableState: object };
  Object.assign(state, { highWaterMark: 1 });
}

/**
 * A call as the first interceptor of the list gets it. `handleDataFrame` gets the body in pieces as they arrive;
 * `decompressMessage` gets each message of a body that is compressed.
 *
 * Relies on: these private members of the class that grpc-js makes for each call.
 */
export type BottomCall = InterceptedCall & {
  readonly stream: ServerHttp2Stream;
  /** The `grpc-encoding` header; `identity` without one. */
  readonly incomingEncoding: string;
  handleDataFrame(data: Buffer): void;
  decompressMessage(message: Buffer, encoding: string): Buffer | Promise<Buffer>;
};

/** The call of the first interceptor, with its private members. */
export function bottomCall(call: InterceptedCall): BottomCall {
  return call as BottomCall;
}

type Replaceable = Pick<BottomCall, "start" | "sendStatus" | "handleDataFrame" | "decompressMessage">;

/**
 * Replaces methods of this call alone. Take all of them from one object literal: a function that is assigned to a
 * property (`call.start = () => ...`) was measured to keep the whole call until the old generation is collected.
 *
 * Relies on: grpc-js calling these methods on the object, so that an own property goes before the class.
 */
export function replaceMethods(call: BottomCall, methods: Partial<Replaceable>): void {
  Object.assign(call, methods);
}

/**
 * The call as the return value of an interceptor that adds nothing to it. A `ServerInterceptingCall` around each call
 * would cost a tenth of what grpc-js takes for the call.
 *
 * Relies on: grpc-js using no more of the value than the interface, although it declares the class.
 */
export function unwrapped(call: InterceptedCall): grpc.ServerInterceptingCall {
  return call as grpc.ServerInterceptingCall;
}

/**
 * Whether grpc-js ends a call with this status because the length prefix of a message is over
 * `grpc.max_receive_message_length`; the rest of the message is then still to come.
 *
 * Relies on: the text of the status. The same code stands for a message that is too large when decompressed, too.
 */
export function isMessageTooLarge({ code, details }: PartialStatus): boolean {
  return (
    code === grpc.status.RESOURCE_EXHAUSTED &&
    details?.startsWith("Received message larger than max") === true
  );
}

/**
 * TLS credentials whose certificate and authorities change together while the server serves. Of those that grpc-js
 * makes, one never changes, and one (experimental) changes certificate and authorities one after the other.
 *
 * Relies on: the constructor and the method of the base class that are meant for grpc-js alone.
 */
export class ReloadableCredentials extends grpc.ServerCredentials {
  constructor(handshake: TlsOptions, context: SecureContextOptions) {
    super(handshake, context);
  }

  /** The context of connections that begin from now on. */
  change(context: SecureContextOptions): void {
    this.updateSecureContextOptions(context);
  }

  override _equals(other: grpc.ServerCredentials): boolean {
    return this === other;
  }
}

/**
 * Keeps `value` for the handler of the call with these headers.
 *
 * Relies on: grpc-js giving one Metadata object to the listener and to the handler.
 */
export function attach<T>(metadata: grpc.Metadata, key: symbol, value: T): void {
  (metadata as unknown as Record<symbol, T>)[key] = value;
}

/** The attached value; undefined without one. */
export function attached<T>(metadata: grpc.Metadata, key: symbol): T | undefined {
  return (metadata as unknown as Readonly<Record<symbol, T | undefined>>)[key];
}
