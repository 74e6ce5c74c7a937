import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BatchCreateMemoriesResponseSchema as Schema } from "#gen/recollect/v1/memory_pb.js";
import { storedMemories } from "../../../test/support/arbitrary-records.ts";
import { memory } from "../../../test/support/builders.ts";
import { memoryNotFound } from "../../domain/errors.ts";
import type { DifferingField } from "../../domain/memory/duplicate.ts";
import type { CreateOutcome } from "../../ports/memory/writer.ts";
import { fromOutcomes } from "./batch-results.ts";

const answerOf = (outcomes: readonly CreateOutcome[], maxBytes: number) =>
  create(Schema, fromOutcomes(outcomes, { namespace: "n", maxBytes }));
const bytesOf = (outcomes: readonly CreateOutcome[], maxBytes: number): number =>
  toBinary(Schema, answerOf(outcomes, maxBytes)).length;

const outcome: fc.Arbitrary<CreateOutcome> = fc.oneof(
  fc.record({ kind: fc.constant("created"), memory: storedMemories }),
  fc.record({
    kind: fc.constant("duplicate"),
    memory: storedMemories,
    differs: fc.subarray<DifferingField>(["text", "tags", "metadata", "expire_time"]),
  }),
  fc.string().map((id) => ({ kind: "refused" as const, error: memoryNotFound("n", id) })),
);
const DETAILS = ["text", "metadata", "tags", "source_ids", "supersedes"];

describe("fromOutcomes", () => {
  it("omits the fewest fields with which the answer is within its bound", () => {
    fc.assert(
      fc.property(fc.array(outcome, { maxLength: 6 }), (outcomes) => {
        const whole = bytesOf(outcomes, Number.MAX_SAFE_INTEGER);
        expect(answerOf(outcomes, whole).omittedFields).toEqual([]);
        if (outcomes.length === 0) return;
        expect(answerOf(outcomes, whole - 1).omittedFields[0]).toBe("text");
        const withoutTexts = toBinary(
          Schema,
          create(Schema, {
            results: answerOf(outcomes, whole).results.map((result) =>
              result.outcome.case === "memory"
                ? {
                    ...result,
                    outcome: { case: "memory" as const, value: { ...result.outcome.value, text: "" } },
                  }
                : result,
            ),
            omittedFields: ["text"],
          }),
        ).length;
        if (withoutTexts >= whole) return;
        expect(bytesOf(outcomes, withoutTexts)).toBe(withoutTexts);
        expect(answerOf(outcomes, withoutTexts).omittedFields).toEqual(["text"]);
        expect(answerOf(outcomes, withoutTexts - 1).omittedFields).toEqual(DETAILS);
      }),
      { seed: 5, numRuns: 100 },
    );
  });

  it("keeps everything else of each result", () => {
    const shared = { id: "a", userId: "u", author: "w", role: "r", sessionId: "s", sessionPosition: 3 };
    const stored = memory({
      ...shared,
      text: "t".repeat(100),
      tags: ["x"],
      metadata: { a: 1 },
      sourceIds: ["y"],
      supersedes: ["z"],
    });
    const { results, omittedFields } = answerOf(
      [{ kind: "duplicate", memory: stored, differs: ["pinned"] }],
      1,
    );
    expect(omittedFields).toEqual(DETAILS);
    expect(results).toMatchObject([
      {
        duplicate: true,
        differs: ["pinned"],
        outcome: { case: "memory", value: { ...shared, etag: stored.etag, namespace: "n" } },
      },
    ]);
    expect(results[0]?.outcome.value).toMatchObject({ text: "", tags: [], sourceIds: [], supersedes: [] });
    expect(results[0]?.outcome.value).not.toHaveProperty("metadata");
  });

  it("needs less than 2 MiB with all omissions, for the largest memories of a batch", () => {
    const wide = "🎉".repeat(256);
    const largest = memory({
      id: "i".repeat(128),
      text: "語".repeat(21_845),
      userId: wide,
      agentId: wide,
      sessionId: wide,
      sessionPosition: 2 ** 31 - 1,
      role: "🎉".repeat(64),
      author: wide,
      tags: Array.from({ length: 32 }, () => "🎉".repeat(64)),
      metadata: { a: Array.from({ length: 8000 }, () => 1) },
      sourceIds: Array.from({ length: 256 }, () => "🎉".repeat(128)),
      supersedes: Array.from({ length: 32 }, () => "🎉".repeat(128)),
      supersededBy: "i".repeat(128),
      embedding: { state: "REFUSED", provider: wide, model: wide, dimension: 4096, truncated: true },
    });
    const outcomes = Array.from({ length: 200 }, (): CreateOutcome => ({ kind: "created", memory: largest }));
    const bytes = bytesOf(outcomes, 2 * 1024 * 1024);
    expect(bytes).toBeLessThanOrEqual(2 * 1024 * 1024);
  });
});
