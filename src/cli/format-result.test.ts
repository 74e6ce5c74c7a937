import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { Memory_State, SearchMemoriesResponse_ResultSchema } from "#gen/recollect/v1/memory_pb.js";
import { formatResult } from "./format-result.ts";

const format = (result: MessageInitShape<typeof SearchMemoriesResponse_ResultSchema>): string[] =>
  formatResult(create(SearchMemoriesResponse_ResultSchema, result), 1);

const ACTIVE = { id: "m1", state: Memory_State.ACTIVE };

describe("formatResult", () => {
  it("shows the document and heading of a passage", () => {
    const memory = {
      ...ACTIVE,
      text: "A\ntext",
      metadata: { source: "pino/docs/api.md", heading: "API > redact" },
    };
    expect(format({ memory, score: 0.98, similarity: 0.7 })).toEqual([
      " 1.  score 0.980  similarity 0.700  pino/docs/api.md # API > redact",
      "    A text",
      "    id m1",
    ]);
  });

  it("shows the speaker, and a missing similarity", () => {
    expect(format({ memory: { ...ACTIVE, text: "hello", author: "Ana" }, score: 0.5 })[0]).toBe(
      " 1.  score 0.500  no similarity  Ana",
    );
  });

  it("ignores metadata of another shape", () => {
    expect(format({ memory: { ...ACTIVE, text: "x", metadata: { source: 7 } }, score: 1 })[0]).toBe(
      " 1.  score 1.000  no similarity",
    );
  });

  it("shows the parts of an explained score", () => {
    const lines = format({
      memory: { id: "m1", text: "x" },
      explanation: {
        ...{ vectorRank: 2, vectorScore: 0.5, matchedTerms: ["redact"], keywordRank: 0 },
        retentionScore: 0.25,
      },
    });
    expect(lines).toContain("    retention 0.250");
    expect(lines).toContain("    by vector: rank 2, score 0.500, weight 0.00");
    expect(lines).toContain("    by keyword: not a candidate, BM25 0.000, terms: redact");
  });
});
