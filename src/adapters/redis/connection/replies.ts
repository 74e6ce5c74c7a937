import type { Reply } from "./client.ts";

/** A bulk string that is text; an absent one is undefined. */
export function textOf(reply: Reply | undefined): string | undefined {
  if (reply === null || reply === undefined) return undefined;
  return String(reply);
}

/** Whether a bulk string is this ASCII text: what is only compared is not made a string of. */
export function isText(reply: Reply | undefined, text: string): boolean {
  if (!Buffer.isBuffer(reply) || reply.length !== text.length) return false;
  for (let at = 0; at < text.length; at += 1) if (reply[at] !== text.charCodeAt(at)) return false;
  return true;
}

/** A bulk string that is ASCII, which is read in half the time; an absent one is undefined. */
export function asciiOf(reply: Reply | undefined): string | undefined {
  return Buffer.isBuffer(reply) ? reply.toString("latin1") : textOf(reply);
}

/** A number, also one that is written out; an absent one is 0. */
export function numberOf(reply: Reply | undefined): number {
  return reply === null || reply === undefined ? 0 : Number(asciiOf(reply));
}

export function listOf(reply: Reply | undefined): readonly Reply[] {
  if (!Array.isArray(reply)) throw new TypeError("Redis answered with something else than a list");
  return reply as readonly Reply[];
}

export function bytesOf(reply: Reply | undefined): Buffer | undefined {
  return Buffer.isBuffer(reply) ? reply : undefined;
}

/** A value by its name, of a list of names and values in turn. */
export function fieldOf(fields: Reply | undefined, name: string): Reply | undefined {
  if (!Array.isArray(fields)) return undefined;
  const list = fields as readonly Reply[];
  for (let at = 0; at + 1 < list.length; at += 2) if (isText(list[at], name)) return list[at + 1];
  return undefined;
}

/**
 * Empties a list that has been read. The promises that resolved with it are as old as the command, mostly older than
 * two collections of the young generation, and reference it until the old one is collected: a thousand small buffers a
 * search, each of them moved twice (measured: two thirds of the time that searches spend in garbage collection).
 */
export function empty(list: readonly Reply[]): void {
  (list as Reply[]).length = 0;
}
