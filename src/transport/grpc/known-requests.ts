import type { DescMessage, DescMethod, MessageShape } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import { LRUCache } from "lru-cache";

type Message = MessageShape<DescMessage>;

/** A larger request is less likely to come again, and costs more to look for. */
const MAX_REQUEST_BYTES = 4096;
/** Bytes of all requests of one method; what was made of them takes some ten times as much. */
const MAX_BYTES = 1024 * 1024;

/** Requests that came before, with the valid messages that were made of them. */
export interface KnownRequests {
  find(bytes: Buffer): Message | undefined;
  keep(bytes: Buffer, message: Message): void;
}

/**
 * The questions that are asked over and over, which is what a cache is for, come as the same bytes each time. Reading
 * and checking a message is a function of its bytes alone, so a read that came before gets the message that was made
 * then (measured: a third of what an exact cache hit costs beyond gRPC). Handlers never change a request. Undefined
 * for a method that changes anything, or that streams.
 */
export function knownRequestsOf(method: DescMethod): KnownRequests | undefined {
  if (method.methodKind !== "unary" || method.idempotency !== Idempotency.NO_SIDE_EFFECTS) return undefined;
  const messages = new LRUCache<string, Message>({
    maxSize: MAX_BYTES,
    sizeCalculation: (_, key) => key.length + 1,
  });
  return {
    find: (bytes) => (bytes.length > MAX_REQUEST_BYTES ? undefined : messages.get(bytes.toString("latin1"))),
    keep: (bytes, message) => {
      if (bytes.length <= MAX_REQUEST_BYTES) messages.set(bytes.toString("latin1"), message);
    },
  };
}
