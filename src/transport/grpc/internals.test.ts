import { once } from "node:events";
import { connect } from "node:http2";
import * as grpc from "@grpc/grpc-js";
import { describe, expect, it, onTestFinished } from "vitest";
import { testAuthority } from "../../../test/support/certificates.ts";
import {
  attach,
  attached,
  bottomCall,
  handleUnknownPaths,
  isMessageTooLarge,
  onHttp2Server,
  type PartialStatus,
  ReloadableCredentials,
  readOneAhead,
  replaceMethods,
  setHttp2Options,
  unwrapped,
} from "./internals.ts";

const PATH = "/test.Service/Method";
const raw = (bytes: Buffer): Buffer => bytes;
const echo: grpc.handleUnaryCall<Buffer, Buffer> = (call, reply) => reply(null, call.request);

async function bind(
  server: grpc.Server,
  credentials = grpc.ServerCredentials.createInsecure(),
): Promise<string> {
  onTestFinished(() => server.forceShutdown());
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return `127.0.0.1:${port}`;
}

function clientOf(
  address: string,
  options: grpc.ClientOptions = {},
  credentials = grpc.credentials.createInsecure(),
): grpc.Client {
  const client = new grpc.Client(address, credentials, options);
  onTestFinished(() => client.close());
  return client;
}

/** Resolves with the reply; rejects with the status. */
function call(client: grpc.Client, path = PATH, request = Buffer.from("a")): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, raw, raw, request, (error, reply) => {
      if (error === null) resolve(reply);
      else reject(error);
    });
  });
}

it("onHttp2Server: called with each HTTP/2 server before its first connection, and whether it uses TLS", async () => {
  const server = new grpc.Server();
  const servers: [boolean, boolean][] = [];
  let streams = 0;
  onHttp2Server(server, (http2Server, isSecure) => {
    servers.push([http2Server.listening, isSecure]);
    http2Server.on("stream", () => {
      streams += 1;
    });
  });
  server.register(PATH, echo, raw, raw, "unary");
  const address = await bind(server);
  const { key, cert } = testAuthority().issue();
  await bind(server, new ReloadableCredentials({}, { key, cert }));
  expect(await call(clientOf(address))).toEqual(Buffer.from("a"));
  expect(servers).toEqual([
    [false, false],
    [false, true],
  ]);
  expect(streams).toBe(1);
});

it("setHttp2Options: the options reach node:http2", async () => {
  const server = new grpc.Server({ "grpc.max_concurrent_streams": 5 });
  setHttp2Options(server, { settings: { maxConcurrentStreams: 7 } });
  const session = connect(`http://${await bind(server)}`);
  onTestFinished(() => session.destroy());
  const [settings] = await once(session, "remoteSettings");
  expect(settings).toMatchObject({ maxConcurrentStreams: 7 });
});

it("handleUnknownPaths: only paths that are not registered", async () => {
  const server = new grpc.Server();
  server.register(PATH, echo, raw, raw, "unary");
  const paths: string[] = [];
  handleUnknownPaths(server, (path) => {
    paths.push(path);
    return {
      path: "/unknown",
      func: (stream) => {
        stream.emit(
          "error",
          Object.assign(new Error("no"), { code: grpc.status.UNIMPLEMENTED, details: path }),
        );
      },
    };
  });
  const client = clientOf(await bind(server));
  expect(await call(client)).toEqual(Buffer.from("a"));
  await expect(call(client, "/no.Such/Method")).rejects.toMatchObject({
    code: grpc.status.UNIMPLEMENTED,
    details: "/no.Such/Method",
  });
  expect(paths).toEqual(["/no.Such/Method"]);
});

it("readOneAhead: a handler that reads nothing gets one message of many", async () => {
  const server = new grpc.Server();
  let parsed = 0;
  const handled = Promise.withResolvers<grpc.ServerDuplexStream<Buffer, Buffer>>();
  const handle: grpc.handleBidiStreamingCall<Buffer, Buffer> = (stream) => {
    readOneAhead(stream);
    stream.on("readable", () => undefined);
    handled.resolve(stream);
  };
  const parse = (bytes: Buffer): Buffer => {
    parsed += 1;
    return bytes;
  };
  server.register(PATH, handle, raw, parse, "bidi");
  server.register("/test.Service/Unary", echo, raw, raw, "unary");
  const client = clientOf(await bind(server));
  const stream = client.makeBidiStreamRequest(PATH, raw, raw);
  stream.on("error", () => undefined);
  for (let message = 0; message < 10; message += 1) stream.write(Buffer.from("a"));
  stream.end();
  const { readableHighWaterMark } = await handled.promise;
  // The answers of these come behind all frames of the stream.
  for (let round = 0; round < 3; round += 1) await call(client, "/test.Service/Unary");
  expect(readableHighWaterMark).toBe(1);
  expect(parsed).toBeLessThanOrEqual(2);
  stream.cancel();
});

describe("the call of the first interceptor", () => {
  it("bottomCall, replaceMethods, unwrapped: grpc-js calls the replaced methods, and runs the call without a wrapper", async () => {
    const called: string[] = [];
    const server = new grpc.Server({
      interceptors: [
        (_method, intercepted) => {
          const one = bottomCall(intercepted);
          called.push(one.incomingEncoding, String(one.stream.session?.destroyed));
          const { start, sendStatus, handleDataFrame, decompressMessage } = one;
          replaceMethods(one, {
            start: (listener) => {
              called.push("start");
              start.call(one, listener);
            },
            sendStatus: (status) => {
              called.push("sendStatus");
              sendStatus.call(one, status);
            },
            handleDataFrame: (data) => {
              called.push("handleDataFrame");
              handleDataFrame.call(one, data);
            },
            decompressMessage: (message, encoding) => {
              called.push("decompressMessage");
              return decompressMessage.call(one, message, encoding);
            },
          });
          return unwrapped(one);
        },
      ],
    });
    server.register(PATH, echo, raw, raw, "unary");
    const gzip = { "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip };
    expect(await call(clientOf(await bind(server), gzip))).toEqual(Buffer.from("a"));
    expect(called).toEqual(["gzip", "false", "start", "handleDataFrame", "decompressMessage", "sendStatus"]);
  });

  it.each([undefined, grpc.compressionAlgorithms.gzip])(
    "isMessageTooLarge: by its length prefix, not when decompressed (compression %s)",
    async (compression) => {
      const statuses: PartialStatus[] = [];
      const server = new grpc.Server({
        "grpc.max_receive_message_length": 100,
        interceptors: [
          (_method, intercepted) => {
            const one = bottomCall(intercepted);
            const { sendStatus } = one;
            replaceMethods(one, {
              sendStatus: (status) => {
                statuses.push(status);
                sendStatus.call(one, status);
              },
            });
            return unwrapped(one);
          },
        ],
      });
      server.register(PATH, echo, raw, raw, "unary");
      const options = compression === undefined ? {} : { "grpc.default_compression_algorithm": compression };
      await expect(
        call(clientOf(await bind(server), options), PATH, Buffer.alloc(1000)),
      ).rejects.toMatchObject({
        code: grpc.status.RESOURCE_EXHAUSTED,
      });
      // grpc-js may send another status when the body ends.
      expect(statuses.slice(0, 1).map(isMessageTooLarge)).toEqual([compression === undefined]);
    },
  );

  it("attach, attached: the headers of the listener are those of the handler", async () => {
    const key = Symbol("key");
    const server = new grpc.Server({
      interceptors: [
        (_method, intercepted) => {
          const one = bottomCall(intercepted);
          const { start } = one;
          replaceMethods(one, {
            start: (listener) =>
              start.call(one, {
                onReceiveMetadata: (metadata: grpc.Metadata) => {
                  attach(metadata, key, "value");
                  listener.onReceiveMetadata(metadata);
                },
                onReceiveMessage: (message: unknown) => listener.onReceiveMessage(message),
                onReceiveHalfClose: () => listener.onReceiveHalfClose(),
                onCancel: () => listener.onCancel(),
              }),
          });
          return unwrapped(one);
        },
      ],
    });
    const found: Record<string, unknown> = {};
    for (const type of ["unary", "clientStream"]) {
      const handle: grpc.handleUnaryCall<Buffer, Buffer> = ({ metadata }, reply) => {
        found[type] = attached(metadata, key);
        reply(null, Buffer.alloc(0));
      };
      server.register(`/test.Service/${type}`, handle, raw, raw, type);
    }
    for (const type of ["serverStream", "bidi"]) {
      const handle: grpc.handleServerStreamingCall<Buffer, Buffer> = (stream) => {
        found[type] = attached(stream.metadata, key);
        stream.end();
      };
      server.register(`/test.Service/${type}`, handle, raw, raw, type);
    }
    const client = clientOf(await bind(server));
    await call(client, "/test.Service/unary");
    await new Promise((resolve) => {
      client.makeClientStreamRequest("/test.Service/clientStream", raw, raw, resolve).end();
    });
    await once(
      client.makeServerStreamRequest("/test.Service/serverStream", raw, raw, Buffer.alloc(0)).resume(),
      "end",
    );
    const bidi = client.makeBidiStreamRequest("/test.Service/bidi", raw, raw).resume();
    bidi.end();
    await once(bidi, "end");
    expect(found).toEqual({ unary: "value", clientStream: "value", serverStream: "value", bidi: "value" });
  });
});

it("ReloadableCredentials: new connections get the changed certificate", async () => {
  const [first, second] = [testAuthority(), testAuthority()];
  const server = new grpc.Server();
  server.register(PATH, echo, raw, raw, "unary");
  const credentials = new ReloadableCredentials({}, first.issue());
  const address = await bind(server, credentials);
  const trusting = (authority: { readonly cert: string }): grpc.Client =>
    clientOf(address, {}, grpc.credentials.createSsl(Buffer.from(authority.cert)));
  expect(await call(trusting(first))).toEqual(Buffer.from("a"));
  await expect(call(trusting(second))).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
  credentials.change(second.issue());
  expect(await call(trusting(second))).toEqual(Buffer.from("a"));
});
