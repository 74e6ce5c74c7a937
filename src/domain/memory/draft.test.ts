import { describe, expect, it } from "vitest";
import type { Json, JsonObject } from "../../lib/json.ts";
import { RecollectError } from "../errors.ts";
import {
  checkDraft,
  checkMetadata,
  MAX_METADATA_BYTES,
  MAX_METADATA_DEPTH,
  MAX_METADATA_KEYS,
  type MemoryDraft,
} from "./draft.ts";

const NOW = 1000;
const DRAFT: MemoryDraft = {
  id: "",
  text: "t",
  kind: "SEMANTIC",
  userId: "",
  agentId: "",
  sessionId: "",
  role: "",
  author: "",
  tags: [],
  metadata: {},
  importance: 0.5,
  pinned: false,
  sourceIds: [],
};

/** The error as `REASON field`; undefined: accepted. */
function refusal(check: () => void): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (!(error instanceof RecollectError)) throw error;
    return `${error.reason} ${error.detail.violations?.map(({ field }) => field).join(",")}`;
  }
}

const refusedDraft = (draft: Partial<MemoryDraft>): string | undefined =>
  refusal(() => checkDraft({ ...DRAFT, ...draft }, "memory", NOW));
const refusedMetadata = (metadata: JsonObject): string | undefined =>
  refusal(() => checkMetadata(metadata, "metadata"));

function nested(depth: number): JsonObject {
  let value: Json = 1;
  for (let layer = 0; layer < depth; layer += 1) value = { a: value };
  return value as unknown as JsonObject;
}

function withKeys(count: number): JsonObject {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, index]));
}

/** An object whose JSON takes exactly this many bytes: {"a":"…"}. */
function ofBytes(bytes: number): JsonObject {
  return { a: "x".repeat(bytes - '{"a":""}'.length) };
}

describe("checkDraft", () => {
  it("accepts a draft without times", () => {
    expect(refusedDraft({})).toBeUndefined();
  });

  it.each([
    ["later than", 11, undefined],
    ["equal to", 10, "REQUEST_INVALID memory.valid_until"],
    ["earlier than", 9, "REQUEST_INVALID memory.valid_until"],
  ])("judges valid_until %s valid_from", (_, validUntil, expected) => {
    expect(refusedDraft({ validFrom: 10, validUntil })).toBe(expected);
  });

  it("accepts a validity that is open on one side", () => {
    expect(refusedDraft({ validFrom: 10 })).toBeUndefined();
    expect(refusedDraft({ validUntil: 10 })).toBeUndefined();
  });

  it.each([
    ["the past", NOW - 1, "REQUEST_INVALID memory.expire_time"],
    ["the present", NOW, "REQUEST_INVALID memory.expire_time"],
    ["the future", NOW + 1, undefined],
  ])("judges an expire_time in %s", (_, expireTime, expected) => {
    expect(refusedDraft({ expireTime })).toBe(expected);
  });

  it("names metadata below the path of the draft", () => {
    expect(refusal(() => checkDraft({ ...DRAFT, metadata: nested(17) }, "memories[3]", NOW))).toBe(
      "REQUEST_INVALID memories[3].metadata",
    );
  });
});

describe("checkMetadata", () => {
  it("accepts each limit itself", () => {
    expect(refusedMetadata(withKeys(MAX_METADATA_KEYS))).toBeUndefined();
    expect(refusedMetadata(nested(MAX_METADATA_DEPTH))).toBeUndefined();
    expect(refusedMetadata(ofBytes(MAX_METADATA_BYTES))).toBeUndefined();
  });

  it("refuses one key, one layer or one byte more", () => {
    const refused = "REQUEST_INVALID metadata";
    expect(refusedMetadata(withKeys(MAX_METADATA_KEYS + 1))).toBe(refused);
    expect(refusedMetadata(nested(MAX_METADATA_DEPTH + 1))).toBe(refused);
    expect(refusedMetadata(ofBytes(MAX_METADATA_BYTES + 1))).toBe(refused);
  });

  it("counts bytes, not characters", () => {
    expect(refusedMetadata({ a: "é".repeat(MAX_METADATA_BYTES / 2) })).toBe("REQUEST_INVALID metadata");
  });
});
