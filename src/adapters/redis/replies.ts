import type { Reply } from "./client.ts";

/** A bulk string that is text; an absent one is undefined. */
export function textOf(reply: Reply | undefined): string | undefined {
  if (reply === null || reply === undefined) return undefined;
  return String(reply);
}

/** A number, also one that is written out; an absent one is 0. */
export function numberOf(reply: Reply | undefined): number {
  return reply === null || reply === undefined ? 0 : Number(String(reply));
}

export function listOf(reply: Reply | undefined): readonly Reply[] {
  if (!Array.isArray(reply)) throw new TypeError("Redis answered with something else than a list");
  return reply as readonly Reply[];
}

export function bytesOf(reply: Reply | undefined): Buffer | undefined {
  return Buffer.isBuffer(reply) ? reply : undefined;
}
