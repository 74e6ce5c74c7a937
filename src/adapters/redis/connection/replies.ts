import type { Reply } from "./client.ts";

/** A bulk string that is text; an absent one is undefined. */
export function textOf(reply: Reply | undefined): string | undefined {
  if (reply === null || reply === undefined) return undefined;
  return String(reply);
}

/** Whether a bulk string is this ASCII text, compared without decoding it. */
export function isText(reply: Reply | undefined, text: string): boolean {
  if (!Buffer.isBuffer(reply) || reply.length !== text.length) return false;
  for (let at = 0; at < text.length; at += 1) if (reply[at] !== text.charCodeAt(at)) return false;
  return true;
}

/** An ASCII bulk string, which decodes in half the time; an absent one is undefined. */
export function asciiOf(reply: Reply | undefined): string | undefined {
  return Buffer.isBuffer(reply) ? reply.toString("latin1") : textOf(reply);
}

/** A number, or a bulk string that holds one; an absent one is 0. */
export function numberOf(reply: Reply | undefined): number {
  return reply === null || reply === undefined ? 0 : Number(asciiOf(reply));
}

export function listOf(reply: Reply | undefined): readonly Reply[] {
  if (!Array.isArray(reply)) throw new TypeError("Redis did not reply with a list");
  return reply as readonly Reply[];
}

export function bytesOf(reply: Reply | undefined): Buffer | undefined {
  return Buffer.isBuffer(reply) ? reply : undefined;
}

/** The value of a name in a list of alternating names and values. */
export function fieldOf(fields: Reply | undefined, name: string): Reply | undefined {
  if (!Array.isArray(fields)) return undefined;
  const list = fields as readonly Reply[];
  for (let at = 0; at + 1 < list.length; at += 2) if (isText(list[at], name)) return list[at + 1];
  return undefined;
}

/**
 * Empties a list after it was read. The promises that resolved with it are mostly in the old generation of the heap, and
 * reference it until that is collected: a thousand small buffers per search, each moved twice (measured: two thirds of
 * the garbage collection time of searches).
 */
export function empty(list: readonly Reply[]): void {
  (list as Reply[]).length = 0;
}
