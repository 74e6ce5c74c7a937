import { createHmac, timingSafeEqual } from "node:crypto";
import { digest } from "../../lib/digest.ts";
import type { SecretKey } from "../../lib/secret-key.ts";
import type { NamespaceKey } from "../access/tenancy.ts";
import { RecollectError } from "../errors.ts";
import { KNOWLEDGE_BYTES } from "./invalidation.ts";

/** The decision of a lookup. It is not stored: the caller sends it back as a token. */
export interface DecisionRecord {
  /** See decisionRecipient. */
  readonly recipient: string;
  /** The entry that was served or was nearest; empty when there was none. */
  readonly entryId: string;
  /** See cacheEntryId. */
  readonly promptId: string;
  readonly fingerprint: string;
  readonly model: string;
  /** See knowledgeDigest. */
  readonly knowledge: string;
  /** Similarity of `entryId`'s prompt; 0 when there was none. */
  readonly similarity: number;
  /** The createTime of the entry that was served; 0: none was. */
  readonly servedCreateTime: number;
  /** The generation of the namespace; see nextGeneration. */
  readonly generation: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
}

/** SHA-256 (hex) of tenant, namespace and principal: a decision is valid only for these. */
export function decisionRecipient({ tenant, namespace }: NamespaceKey, principal: string): string {
  return digest(tenant, namespace, principal);
}

export const DECISION_LIFETIME_MS = 7 * 24 * 3600 * 1000;

const VERSION = 2;
const TIME_BYTES = 6;
const HASH_BYTES = 32;
/** Where the hashes begin: behind the version, the time, the generation, the createTime and the similarity. */
const HASHES_AT = 1 + 3 * TIME_BYTES + 4;
const KNOWLEDGE_AT = HASHES_AT + 4 * HASH_BYTES;
const HEAD_BYTES = KNOWLEDGE_AT + KNOWLEDGE_BYTES;
const MAC_BYTES = 16;
const NO_HASH = "0".repeat(2 * HASH_BYTES);
const NO_KNOWLEDGE = "0".repeat(2 * KNOWLEDGE_BYTES);
/** Clocks of two replicas may differ by this much. */
const CLOCK_TOLERANCE_MS = 60_000;

/**
 * Layout: version (1 byte), time, generation and createTime (unsigned, 6 bytes each), similarity (float32), recipient,
 * entry, prompt, fingerprint (32 bytes each), knowledge (16 bytes), model (UTF-8, at most 200 bytes), HMAC-SHA-256 over all
 * before it, cut to 16 bytes; as base64url. That makes 244 to 511 characters.
 */
export function sealDecision(decision: DecisionRecord, secret: SecretKey): string {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + Buffer.byteLength(decision.model) + MAC_BYTES).fill(0);
  bytes.writeUInt8(VERSION, 0);
  for (const [at, time] of [decision.time, decision.generation, decision.servedCreateTime].entries()) {
    bytes.writeUIntLE(Math.floor(time), 1 + at * TIME_BYTES, TIME_BYTES);
  }
  bytes.writeFloatLE(decision.similarity, HASHES_AT - 4);
  const hashes = `${decision.recipient}${decision.entryId || NO_HASH}${decision.promptId}${decision.fingerprint}`;
  bytes.write(hashes + (decision.knowledge || NO_KNOWLEDGE), HASHES_AT, "hex");
  bytes.write(decision.model, HEAD_BYTES);
  const body = bytes.subarray(0, -MAC_BYTES);
  bytes.set(mac(body, secret), body.length);
  return bytes.toString("base64url");
}

/** The decision in a token. Throws DECISION_INVALID when sealDecision did not make the token with this secret, or it is too old. */
export function openDecision(token: string, secret: SecretKey, now: number): DecisionRecord {
  const bytes = Buffer.from(token, "base64url");
  if (bytes.length < HEAD_BYTES + MAC_BYTES || bytes.readUInt8(0) !== VERSION)
    throw invalidDecision("malformed");
  const body = bytes.subarray(0, -MAC_BYTES);
  if (!timingSafeEqual(mac(body, secret), bytes.subarray(-MAC_BYTES))) throw invalidDecision("signature");
  const timeAt = (index: number): number => body.readUIntLE(1 + index * TIME_BYTES, TIME_BYTES);
  const hash = (index: number): string =>
    body.toString("hex", HASHES_AT + index * HASH_BYTES, HASHES_AT + (index + 1) * HASH_BYTES);
  const time = timeAt(0);
  if (now - time > DECISION_LIFETIME_MS || time - now > CLOCK_TOLERANCE_MS) throw invalidDecision("expired");
  const entryId = hash(1);
  const knowledge = body.toString("hex", KNOWLEDGE_AT, HEAD_BYTES);
  return {
    time,
    generation: timeAt(1),
    servedCreateTime: timeAt(2),
    similarity: body.readFloatLE(HASHES_AT - 4),
    recipient: hash(0),
    entryId: entryId === NO_HASH ? "" : entryId,
    promptId: hash(2),
    fingerprint: hash(3),
    knowledge: knowledge === NO_KNOWLEDGE ? "" : knowledge,
    model: body.toString("utf8", HEAD_BYTES),
  };
}

/** The same for a token that must have been made for this recipient (see decisionRecipient). */
export function openDecisionFor(
  recipient: string,
  token: string,
  secret: SecretKey,
  now: number,
): DecisionRecord {
  const decision = openDecision(token, secret, now);
  if (decision.recipient !== recipient) throw invalidDecision("namespace");
  return decision;
}

export function invalidDecision(
  cause: "malformed" | "signature" | "expired" | "prompt" | "namespace" | "miss",
): RecollectError {
  return new RecollectError("DECISION_INVALID", `decision_id is not valid here: ${cause}`, {
    metadata: { cause },
    violations: [{ field: "decision_id", description: cause }],
  });
}

function mac(body: Uint8Array, secret: SecretKey): Buffer {
  return createHmac("sha256", secret).update(body).digest().subarray(0, MAC_BYTES);
}
