import { once } from "node:events";
import * as http2 from "node:http2";
import * as net from "node:net";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { ErrorInfoSchema, RetryInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "#gen/google/rpc/status_pb.js";
import { CreateMemoryRequestSchema, ListMemoriesRequestSchema } from "#gen/recollect/v1/memory_pb.js";

/** The outcome of a stream of raw frames. */
export interface StreamOutcome {
  /** `:status`; undefined when the stream ended without an answer. */
  readonly httpStatus: number | undefined;
  /** `grpc-status`; undefined when there was none. */
  readonly code: number | undefined;
  readonly message: string;
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryAfter: boolean;
  /** Size of names and values of the headers and trailers with the status, plus 32 bytes for each, as in RFC 9113. */
  readonly headerBytes: number;
  readonly body: Buffer;
  /** The code of the reset that ended the stream; 0 when there was none. */
  readonly reset: number;
}

/** One HTTP/2 connection for raw frames. */
export class RawHttp2 implements AsyncDisposable {
  readonly session: http2.ClientHttp2Session;
  readonly #closed: Promise<unknown>;

  constructor(address: string, options: http2.ClientSessionOptions = {}) {
    // The default limit of Node for unsent data would reset streams before the response to a large request is read.
    this.session = http2.connect(`http://${address}`, { maxSessionMemory: 100, ...options });
    this.session.on("error", () => undefined);
    this.#closed = new Promise((resolve) => this.session.once("close", resolve));
  }

  /** Opens a gRPC stream; the caller writes to it and ends it. */
  open(path: string, headers: http2.OutgoingHttpHeaders = {}): http2.ClientHttp2Stream {
    const stream = this.session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    stream.on("error", () => undefined);
    return stream;
  }

  /** Sends these bytes as the whole body of a gRPC call. */
  call(path: string, body: Uint8Array, headers: http2.OutgoingHttpHeaders = {}): Promise<StreamOutcome> {
    const stream = this.open(path, headers);
    const outcome = outcomeOf(stream);
    stream.end(body);
    return outcome;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session.destroy();
    await this.#closed;
  }
}

/** Resolves when the stream has ended, with or without an error. */
export async function outcomeOf(stream: http2.ClientHttp2Stream): Promise<StreamOutcome> {
  let headers: http2.IncomingHttpHeaders = {};
  const chunks: Buffer[] = [];
  stream.on("response", (received) => {
    headers = { ...headers, ...received };
  });
  stream.on("trailers", (received) => {
    headers = { ...headers, ...received };
  });
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  // A status ends the call, also with unsent data.
  stream.once("end", () => stream.end());
  await new Promise<void>((resolve) => stream.once("close", resolve));
  const encoded = headers["grpc-status-details-bin"];
  const details =
    typeof encoded === "string" ? fromBinary(StatusSchema, Buffer.from(encoded, "base64")).details : [];
  const info = details.map((detail) => anyUnpack(detail, ErrorInfoSchema)).find((one) => one !== undefined);
  const { [":status"]: httpStatus, "grpc-status": code, "grpc-message": message } = headers;
  return {
    httpStatus: httpStatus === undefined ? undefined : Number(httpStatus),
    code: code === undefined ? undefined : Number(code),
    message: decodeURIComponent(String(message ?? "")),
    reason: info?.reason,
    metadata: info?.metadata ?? {},
    retryAfter: details.some((detail) => anyUnpack(detail, RetryInfoSchema) !== undefined),
    headerBytes: Object.entries(headers).reduce(
      (sum, [name, value]) => sum + name.length + String(value).length + 32,
      0,
    ),
    body: Buffer.concat(chunks),
    reset: stream.rstCode,
  };
}

/** A message as gRPC frames it: a flag (1: compressed), the length, the bytes. */
export function frame(message: Uint8Array, flag = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flag, 0);
  head.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([head, message]);
}

/** A raw HTTP/2 frame, for data that no client would send. */
export function http2Frame(type: number, streamId: number, payload: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.byteLength, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

export const LIST = "/recollect.v1.MemoryService/ListMemories";
export const CREATE = "/recollect.v1.MemoryService/CreateMemory";

/** A framed ListMemories request, to check that normal calls work. */
export function listRequest(): Buffer {
  return frame(toBinary(ListMemoriesRequestSchema, create(ListMemoriesRequestSchema, {})));
}

/** A framed CreateMemory request with this text. */
export function createRequest(text = "x"): Buffer {
  return frame(toBinary(CreateMemoryRequestSchema, create(CreateMemoryRequestSchema, { memory: { text } })));
}

/** Connects to `host:port` by TCP. Connection errors appear as its end. */
export async function connectTcp(address: string): Promise<net.Socket> {
  const { hostname, port } = new URL(`http://${address}`);
  const socket = net.connect({ host: hostname, port: Number(port) });
  await once(socket, "connect");
  socket.on("error", () => undefined);
  return socket;
}
