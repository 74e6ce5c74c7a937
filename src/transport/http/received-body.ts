import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { LimitFunction } from "p-limit";
import { RecollectError } from "../../domain/errors.ts";
import type { UnfinishedRequests } from "../unfinished-requests.ts";
import { GIVEN_UP, type HttpCall } from "./http-call.ts";

const unzip = promisify(gunzip);

export interface ReceivingOptions {
  readonly maxMessageBytes: number;
  readonly unfinished: UnfinishedRequests;
  /** Limits the bodies that are decompressed at a time (MAX_DECOMPRESSING). */
  readonly decompressing: LimitFunction;
}

/**
 * Chunks of a body as they arrive, counted as bytes of an unfinished request until the last one is there. Throws
 * TOO_MANY_UNFINISHED_REQUESTS or RECEIVE_TIMEOUT, also while the next chunk is waited for.
 */
export async function* receive(
  body: AsyncIterable<Uint8Array>,
  call: HttpCall,
  { unfinished }: ReceivingOptions,
): AsyncGenerator<Uint8Array> {
  const refused = Promise.withResolvers<never>();
  // May reject while nothing awaits it; the next chunk awaits it.
  refused.promise.catch(() => undefined);
  // HTTP/1.1 has one request at a time on a connection.
  const sender = { caller: call.running.context.caller, connection: {} };
  const request = unfinished.begin(sender, false, { refuse: (error) => refused.reject(error) });
  const chunks = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await Promise.race([chunks.next().catch(givenUp), refused.promise]);
      if (next.done === true) return;
      if (!request.add(next.value.length)) await refused.promise;
      yield next.value;
    }
  } finally {
    request.end();
  }
}

/** A truncated body means that the caller has disconnected. */
function givenUp(cause: unknown): never {
  throw new RecollectError("CALL_CANCELLED", GIVEN_UP, { cause });
}

/** The whole body. Throws REQUEST_TOO_LARGE. */
export async function receiveAll(
  chunks: AsyncIterable<Uint8Array>,
  maxMessageBytes: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of chunks) {
    bytes += part.length;
    if (bytes > maxMessageBytes) throw tooLarge(maxMessageBytes);
    parts.push(part);
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

/** Throws REQUEST_TOO_LARGE for a body that is too large when decompressed, and REQUEST_MALFORMED when it is not gzip. */
export function decompress(
  bytes: Uint8Array,
  { maxMessageBytes, decompressing }: ReceivingOptions,
): Promise<Uint8Array> {
  return decompressing(async () => {
    try {
      return await unzip(bytes, { maxOutputLength: maxMessageBytes });
    } catch (error) {
      if (error instanceof RangeError) throw tooLarge(maxMessageBytes);
      throw new RecollectError("REQUEST_MALFORMED", "the request cannot be decompressed", { cause: error });
    }
  });
}

export function tooLarge(maxMessageBytes: number): RecollectError {
  return new RecollectError("REQUEST_TOO_LARGE", `the request is larger than ${maxMessageBytes} bytes`, {
    metadata: { max_bytes: String(maxMessageBytes) },
  });
}
