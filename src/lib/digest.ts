import { createHash, hash } from "node:crypto";

/**
 * SHA-256 over parts that cannot run into each other: each is preceded by its length in bytes. The parts
 * ("ab", "c") and ("a", "bc") therefore differ. Lower-case hex, 64 characters.
 */
export function digest(...parts: readonly string[]): string {
  return hash("sha256", parts.map((part) => `${Buffer.byteLength(part)}:${part}`).join(""));
}

/** The digest of one part, given in pieces. */
export function digestInPieces(pieces: readonly string[]): string {
  const bytes = pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0);
  const digesting = createHash("sha256").update(`${bytes}:`);
  for (const piece of pieces) digesting.update(piece);
  return digesting.digest("hex");
}
