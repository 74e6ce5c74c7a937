import { createHmac, createSecretKey } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecollectError } from "../errors.ts";
import {
  DECISION_LIFETIME_MS,
  type DecisionRecord,
  invalidDecision,
  openDecision,
  sealDecision,
} from "./decision-token.ts";

const SECRET = createSecretKey(Buffer.alloc(32, 7));
const hash = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString("hex"));
/** Any code unit, lone surrogates included. */
const anyCharacter = fc.nat({ max: 0x10ffff }).map((code) => String.fromCodePoint(code));

const record: fc.Arbitrary<DecisionRecord> = fc.record({
  recipient: hash,
  entryId: fc.option(
    hash.filter((id) => !/^0+$/.test(id)),
    { nil: "" },
  ),
  promptId: hash,
  fingerprint: hash,
  model: fc.string({ unit: "grapheme", minLength: 1, maxLength: 30 }),
  knowledge: fc.constantFrom("", "ab".repeat(16), "0f".repeat(16)),
  servedCreateTime: fc.constantFrom(0, 1_700_000_000_000, 2 ** 48 - 1),
  generation: fc.nat({ max: 4_000_000_000_000 }),
  similarity: fc.float({ min: -1, max: 1, noNaN: true }),
  time: fc.integer({ min: 0, max: 4_000_000_000_000 }),
});
const DECISION: DecisionRecord = {
  recipient: "1".repeat(64),
  entryId: "2".repeat(64),
  promptId: "3".repeat(64),
  fingerprint: "4".repeat(64),
  model: "gpt-x",
  knowledge: "5".repeat(32),
  servedCreateTime: 1_699_999_999_000,
  generation: 1_690_000_000_000,
  similarity: 0.875,
  time: 1_700_000_000_000,
};

/** `opened`, or the reason and cause of the refusal. */
function verdict(token: string, now = DECISION.time, secret = SECRET): string {
  try {
    openDecision(token, secret, now);
    return "opened";
  } catch (error) {
    if (!(error instanceof RecollectError)) throw error;
    return `${error.reason} ${error.detail.metadata?.["cause"]}`;
  }
}

describe("decision tokens", () => {
  it("round-trip a decision", () => {
    fc.assert(
      fc.property(record, (decision) => {
        expect(openDecision(sealDecision(decision, SECRET), SECRET, decision.time)).toEqual(decision);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("end with the first 16 bytes of the HMAC-SHA-256 of the bytes before", () => {
    const bytes = Buffer.from(sealDecision(DECISION, SECRET), "base64url");
    const hmac = createHmac("sha256", Buffer.alloc(32, 7)).update(bytes.subarray(0, -16)).digest();
    expect(bytes.subarray(-16)).toEqual(hmac.subarray(0, 16));
  });

  it("keep the similarity as float32", () => {
    const { similarity } = openDecision(
      sealDecision({ ...DECISION, similarity: 0.9 }, SECRET),
      SECRET,
      DECISION.time,
    );
    expect(similarity).toBe(Math.fround(0.9));
  });

  it("are refused with any bit flipped", () => {
    const bytes = Buffer.from(sealDecision(DECISION, SECRET), "base64url");
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(verdict(changed.toString("base64url"))).toMatch(/^DECISION_INVALID (malformed|signature)$/);
    }
  });

  it("are refused when truncated or extended", () => {
    const token = sealDecision(DECISION, SECRET);
    for (let length = 0; length <= token.length - 2; length += 1) {
      expect(verdict(token.slice(0, length))).toMatch(/^DECISION_INVALID (malformed|signature)$/);
    }
    expect(verdict(`${token}AAAA`)).toBe("DECISION_INVALID signature");
  });

  it("are refused under another secret", () => {
    fc.assert(
      fc.property(record, fc.uint8Array({ minLength: 32, maxLength: 32 }), (decision, other) => {
        const secret = createSecretKey(other);
        expect(verdict(sealDecision(decision, secret), decision.time)).toBe("DECISION_INVALID signature");
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it("are refused when they are arbitrary strings", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: anyCharacter }), fc.base64String({ maxLength: 600 })),
        (token) => {
          expect(verdict(token)).toMatch(/^DECISION_INVALID /);
        },
      ),
      { seed: 1, numRuns: 300 },
    );
  });

  it.each([
    ["the moment they are made", 0, "opened"],
    ["exactly 7 days", 7 * 24 * 3600 * 1000, "opened"],
    ["a millisecond more", DECISION_LIFETIME_MS + 1, "DECISION_INVALID expired"],
    ["a clock that is a minute behind", -60_000, "opened"],
    ["a clock that is further behind", -60_001, "DECISION_INVALID expired"],
  ])("at %s", (_, age, expected) => {
    expect(verdict(sealDecision(DECISION, SECRET), DECISION.time + age)).toBe(expected);
  });

  it("fit into 512 characters of a URL with the longest model", () => {
    const longest = sealDecision({ ...DECISION, model: "é".repeat(100) }, SECRET);
    expect(longest).toHaveLength(511);
    expect(longest.length).toBeLessThanOrEqual(512);
    expect(longest).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(openDecision(longest, SECRET, DECISION.time).model).toBe("é".repeat(100));
  });
});

describe("invalidDecision", () => {
  it("has cause and field in its metadata", () => {
    expect(invalidDecision("prompt")).toMatchObject({
      reason: "DECISION_INVALID",
      detail: { metadata: { cause: "prompt" }, violations: [{ field: "decision_id" }] },
    });
  });
});
