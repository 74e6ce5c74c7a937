import { once } from "node:events";
import type { Http2Server, ServerHttp2Stream } from "node:http2";
import { setImmediate as turnOver } from "node:timers/promises";
import * as grpc from "@grpc/grpc-js";
import { expect, it, onTestFinished } from "vitest";
import { watchConnections } from "./connections.ts";

const PATH = "/test.Service/Method";
const raw = (bytes: Buffer): Buffer => bytes;

/** A server that answers with what it gets, its HTTP/2 streams, and a client. */
async function serve(handle: grpc.handleUnaryCall<Buffer, Buffer>) {
  const server = new grpc.Server();
  watchConnections(
    server,
    () => undefined,
    () => undefined,
  );
  server.register(PATH, handle, raw, raw, "unary");
  const insecure = grpc.ServerCredentials.createInsecure();
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", insecure, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const streams: ServerHttp2Stream[] = [];
  for (const http2Server of (server["http2Servers"] as Map<Http2Server, unknown>).keys()) {
    http2Server.on("stream", (stream) => streams.push(stream));
  }
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  onTestFinished(() => {
    client.close();
    server.forceShutdown();
  });
  return { server, streams, client };
}

function call(
  client: grpc.Client,
  request: Buffer,
  options: grpc.CallOptions = {},
): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(PATH, raw, raw, request, options, (error, reply) => {
      if (error === null) resolve(reply);
      else reject(error);
    });
  });
}

async function closed(stream: ServerHttp2Stream | undefined): Promise<void> {
  if (stream?.closed === false) await once(stream, "close");
  await turnOver();
}

it("retains nothing of a call through its closed stream", async () => {
  const { server, streams, client } = await serve((one, reply) => reply(null, one.request));
  expect(await call(client, Buffer.from("a"))).toEqual(Buffer.from("a"));
  const [stream] = streams;
  await closed(stream);
  expect(stream?.eventNames()).toEqual([]);
  // grpc-js has been notified of the end of the call, so nothing is pending.
  client.close();
  await new Promise<void>((resolve, reject) => {
    server.tryShutdown((error) => (error === undefined ? resolve() : reject(error)));
  });
});

it("notifies the handler of a cut call before that", async () => {
  const started = Promise.withResolvers<void>();
  const cancelled = Promise.withResolvers<void>();
  const { streams, client } = await serve((one) => {
    one.once("cancelled", cancelled.resolve);
    started.resolve();
  });
  const pending = client.makeUnaryRequest(PATH, raw, raw, Buffer.from("a"), () => undefined);
  await started.promise;
  pending.cancel();
  await cancelled.promise;
  const [stream] = streams;
  await closed(stream);
  expect(stream?.eventNames()).toEqual([]);
});
