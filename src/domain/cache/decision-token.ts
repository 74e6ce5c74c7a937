import { createHmac, timingSafeEqual } from "node:crypto";
import { digest } from "../../lib/digest.ts";
import type { SecretKey } from "../../lib/secret-key.ts";
import type { NamespaceKey } from "../access/tenancy.ts";
import { RecollectError } from "../errors.ts";

/** What a lookup decided, to be brought back by the caller: nothing is stored for it. */
export interface DecisionRecord {
  /** For whom and where it was made; see decisionRecipient. */
  readonly recipient: string;
  /** The entry that was served or was nearest; empty when there was none. */
  readonly entryId: string;
  /** Id of the entry that this prompt has in this scope. */
  readonly promptId: string;
  readonly fingerprint: string;
  readonly model: string;
  /** Similarity of `entryId`'s prompt; 0 when there was none. */
  readonly similarity: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
}

/** SHA-256 (hex) of tenant, namespace and principal: a decision is valid only there, for the caller that asked. */
export function decisionRecipient({ tenant, namespace }: NamespaceKey, principal: string): string {
  return digest(tenant, namespace, principal);
}

export const DECISION_LIFETIME_MS = 7 * 24 * 3600 * 1000;

const VERSION = 1;
const HASH_BYTES = 32;
const HEAD_BYTES = 1 + 8 + 4 + 4 * HASH_BYTES;
const MAC_BYTES = 16;
const NO_HASH = "0".repeat(2 * HASH_BYTES);
/** Clocks of two replicas may differ by this much. */
const CLOCK_TOLERANCE_MS = 60_000;

/**
 * Layout: version (1 byte), time (float64), similarity (float32), recipient, entry, prompt, fingerprint (32 bytes
 * each), model (UTF-8, at most 200 bytes), HMAC-SHA-256 over all before it, cut to 16 bytes; as base64url. That
 * makes 210 to 476 characters.
 */
export function sealDecision(decision: DecisionRecord, secret: SecretKey): string {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + Buffer.byteLength(decision.model) + MAC_BYTES).fill(0);
  bytes.writeUInt8(VERSION, 0);
  bytes.writeDoubleLE(decision.time, 1);
  bytes.writeFloatLE(decision.similarity, 9);
  const hashes = `${decision.recipient}${decision.entryId || NO_HASH}${decision.promptId}${decision.fingerprint}`;
  bytes.write(hashes, 13, "hex");
  bytes.write(decision.model, HEAD_BYTES);
  const body = bytes.subarray(0, -MAC_BYTES);
  bytes.set(mac(body, secret), body.length);
  return bytes.toString("base64url");
}

/** The decision in a token. Throws DECISION_INVALID when it is not one of ours, was changed, or is too old. */
export function openDecision(token: string, secret: SecretKey, now: number): DecisionRecord {
  const bytes = Buffer.from(token, "base64url");
  if (bytes.length < HEAD_BYTES + MAC_BYTES || bytes.readUInt8(0) !== VERSION)
    throw invalidDecision("malformed");
  const body = bytes.subarray(0, -MAC_BYTES);
  if (!timingSafeEqual(mac(body, secret), bytes.subarray(-MAC_BYTES))) throw invalidDecision("signature");
  const hash = (index: number): string =>
    body.toString("hex", 13 + index * HASH_BYTES, 13 + (index + 1) * HASH_BYTES);
  const time = body.readDoubleLE(1);
  if (now - time > DECISION_LIFETIME_MS || time - now > CLOCK_TOLERANCE_MS) throw invalidDecision("expired");
  const entryId = hash(1);
  return {
    time,
    similarity: body.readFloatLE(9),
    recipient: hash(0),
    entryId: entryId === NO_HASH ? "" : entryId,
    promptId: hash(2),
    fingerprint: hash(3),
    model: body.toString("utf8", HEAD_BYTES),
  };
}

export function invalidDecision(
  cause: "malformed" | "signature" | "expired" | "prompt" | "namespace",
): RecollectError {
  return new RecollectError("DECISION_INVALID", `decision_id is not valid here: ${cause}`, {
    metadata: { cause },
    violations: [{ field: "decision_id", description: cause }],
  });
}

function mac(body: Uint8Array, secret: SecretKey): Buffer {
  return createHmac("sha256", secret).update(body).digest().subarray(0, MAC_BYTES);
}
