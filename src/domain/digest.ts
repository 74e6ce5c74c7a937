import { hash } from "node:crypto";

/**
 * SHA-256 over parts that cannot run into each other: each is preceded by its length in bytes. The parts
 * ("ab", "c") and ("a", "bc") therefore differ. Lower-case hex, 64 characters.
 */
export function digest(...parts: readonly string[]): string {
  return hash("sha256", parts.map((part) => `${Buffer.byteLength(part)}:${part}`).join(""));
}
