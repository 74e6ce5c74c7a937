import type { UniversalServerRequest } from "@connectrpc/connect/protocol";
import { yieldToEventLoop } from "../../lib/yield-to-event-loop.ts";
import { MAX_BYTES_AT_ONCE } from "../bounds/limits.ts";
import type { RequestReader } from "../bounds/request-reader.ts";
import type { HttpCall } from "./http-call.ts";
import { decompress, type ReceivingOptions, receive, receiveAll, tooLarge } from "./received-body.ts";

/** How a request carries its messages. https://connectrpc.com/docs/protocol, and gRPC-web */
interface Packing {
  readonly form: "json" | "binary";
  /** Each message has a prefix of flag and length; otherwise the body is the message. */
  readonly enveloped: boolean;
}

/** Undefined for a content type that the library refuses. */
function packingOf(contentType: string): Packing | undefined {
  const [, kind, form] =
    /^application\/(connect\+|grpc-web(?:\+|$))?(json|proto)?\s*(?:;|$)/i.exec(contentType) ?? [];
  if (kind === undefined && form === undefined) return undefined;
  return { form: form?.toLowerCase() === "json" ? "json" : "binary", enveloped: kind !== undefined };
}

const COMPRESSED = 1;
/** Flags of envelopes without a message: the end of a stream, and trailers. */
const NO_MESSAGE = 2 | 0x80;

/**
 * The request with messages that may be decoded: received within the limits, decompressed, and checked against the
 * bounds of the method. The library throws their errors when it reads the body.
 */
export async function checkedRequest(
  request: UniversalServerRequest,
  call: HttpCall,
  reader: RequestReader,
  options: ReceivingOptions,
): Promise<UniversalServerRequest> {
  if (request.method === "GET")
    return { ...request, url: await checkedAddress(request.url, call, reader, options) };
  const { header, body } = request;
  const packing = packingOf(header.get("content-type") ?? "");
  if (packing === undefined || !isStream(body)) return request;
  // The library would compare it with the checked body, which is decompressed and without refused items.
  header.delete("content-length");
  const chunks = receive(body, call, options);
  if (packing.enveloped)
    return { ...request, body: failing(call, checkedEnvelopes(chunks, packing, call, reader, options)) };
  const compressed = header.get("content-encoding")?.toLowerCase() === "gzip";
  if (compressed) header.delete("content-encoding");
  return {
    ...request,
    body: failing(call, checkedMessage(chunks, compressed, packing, call, reader, options)),
  };
}

/** A call by GET has its message in the URL. https://connectrpc.com/docs/protocol/#unary-get-request */
async function checkedAddress(
  address: string,
  call: HttpCall,
  reader: RequestReader,
  options: ReceivingOptions,
): Promise<string> {
  const url = new URL(address);
  const query = url.searchParams;
  const sent = query.get("message") ?? "";
  let message: Uint8Array = Buffer.from(sent, query.get("base64") === "1" ? "base64url" : "utf8");
  if (query.get("compression") === "gzip") {
    message = await decompress(message, options);
    query.delete("compression");
  }
  const checked = reader.check(message, query.get("encoding") === "proto" ? "binary" : "json");
  call.refusedItems.push(checked.refused);
  query.set("base64", "1");
  query.set("message", Buffer.from(checked.bytes).toString("base64url"));
  return url.href;
}

async function* checkedMessage(
  chunks: AsyncIterable<Uint8Array>,
  compressed: boolean,
  { form }: Packing,
  call: HttpCall,
  reader: RequestReader,
  options: ReceivingOptions,
): AsyncGenerator<Uint8Array> {
  const received = await receiveAll(chunks, options.maxMessageBytes);
  const checked = reader.check(compressed ? await decompress(received, options) : received, form);
  call.refusedItems.push(checked.refused);
  if (checked.bytes.length > MAX_BYTES_AT_ONCE) {
    call.isLarge = true;
    await yieldToEventLoop();
  }
  yield checked.bytes;
}

async function* checkedEnvelopes(
  chunks: AsyncIterable<Uint8Array>,
  { form }: Packing,
  call: HttpCall,
  reader: RequestReader,
  options: ReceivingOptions,
): AsyncGenerator<Uint8Array> {
  let rest = Buffer.alloc(0);
  for await (const chunk of chunks) {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      if (rest.length < 5) break;
      const length = rest.readUInt32BE(1);
      if (length > options.maxMessageBytes) throw tooLarge(options.maxMessageBytes);
      if (rest.length < 5 + length) break;
      const flag = rest.readUInt8(0);
      const message = rest.subarray(5, 5 + length);
      rest = rest.subarray(5 + length);
      if ((flag & NO_MESSAGE) !== 0) yield envelope(flag, message);
      else {
        const checked = reader.check(
          (flag & COMPRESSED) === 0 ? message : await decompress(message, options),
          form,
        );
        call.refusedItems.push(checked.refused);
        yield envelope(flag & ~COMPRESSED, checked.bytes);
      }
    }
  }
  // The library refuses an incomplete envelope.
  if (rest.length > 0) yield rest;
}

function envelope(flag: number, message: Uint8Array): Uint8Array {
  const head = Buffer.alloc(5);
  head.writeUInt8(flag, 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Ends the call with an error of these chunks, as the library throws it. */
async function* failing(call: HttpCall, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (error) {
    throw call.fail(error);
  }
}

function isStream(body: UniversalServerRequest["body"]): body is AsyncIterable<Uint8Array> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}
