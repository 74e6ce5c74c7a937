import { describe, expect, it } from "vitest";
import { RecollectError } from "../errors.ts";
import { checkImported, type ImportedDraft, MAX_IMPORTED_POSITION } from "./imported-draft.ts";

const NOW = 1_000_000;
const DRAFT: ImportedDraft = {
  id: "m1",
  text: "Ann likes tea",
  kind: "SEMANTIC",
  userId: "",
  agentId: "",
  sessionId: "s",
  role: "",
  author: "",
  tags: [],
  metadata: {},
  importance: 0.5,
  pinned: false,
  sourceIds: [],
  state: "ACTIVE",
  supersededBy: "",
  sessionPosition: 1,
};

function refused(given: Partial<ImportedDraft>): string | undefined {
  try {
    checkImported({ ...DRAFT, ...given }, "memories[2]", NOW);
    return undefined;
  } catch (error) {
    if (!(error instanceof RecollectError)) throw error;
    return `${error.reason} ${error.detail.violations?.map(({ field }) => field).join()}`;
  }
}

describe("checkImported", () => {
  it.each<[string, Partial<ImportedDraft>]>([
    ["what an export holds", { createTime: 5, updateTime: 6, state: "SUPERSEDED", supersededBy: "m2" }],
    ["an expired memory", { expireTime: NOW - 1 }],
    ["what has not been changed", { createTime: 5, updateTime: 5 }],
    ["no times at all", {}],
    ["times to come", { createTime: NOW + 1 }],
    ["the last position", { sessionPosition: MAX_IMPORTED_POSITION }],
  ])("takes %s", (_, given) => {
    expect(refused(given)).toBeUndefined();
  });

  it.each<[string, Partial<ImportedDraft>, string]>([
    ["no id", { id: "" }, "id"],
    ["a time to live", { ttlMs: 1000 }, "ttl"],
    ["a position that leaves no room", { sessionPosition: MAX_IMPORTED_POSITION + 1 }, "session_position"],
    ["a position below none", { sessionPosition: -1 }, "session_position"],
    ["a change before the beginning", { createTime: 6, updateTime: 5 }, "update_time"],
    ["a change before now, which is the beginning", { updateTime: 5 }, "update_time"],
    ["a successor that is no id", { supersededBy: "x".repeat(129) }, "superseded_by"],
    ["an end before its beginning", { validFrom: 2, validUntil: 2 }, "valid_until"],
  ])("refuses %s", (_, given, field) => {
    expect(refused(given)).toBe(`REQUEST_INVALID memories[2].${field}`);
  });
});
