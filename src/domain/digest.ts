import { createHash } from "node:crypto";

/**
 * SHA-256 over parts that cannot run into each other: each is preceded by its length in bytes. The parts
 * ("ab", "c") and ("a", "bc") therefore differ. Lower-case hex, 64 characters.
 */
export function digest(...parts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest("hex");
}
