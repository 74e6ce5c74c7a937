import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cacheEntry, NOW } from "../../../test/support/builders.ts";
import type { CacheEntry } from "./entry.ts";
import { applyReport, isVetoed, MAX_VETOES, type OutcomeReport } from "./feedback.ts";

const ENTRY = cacheEntry({ createTime: NOW, expireTime: NOW + 1000 });

function report(given: Partial<OutcomeReport> = {}): OutcomeReport {
  return {
    outcome: "INCORRECT",
    entryId: ENTRY.id,
    createTime: ENTRY.createTime,
    promptId: "p1",
    reporter: "r1",
    similarity: 0.9,
    ...given,
  };
}

const anyReport: fc.Arbitrary<OutcomeReport> = fc.record({
  outcome: fc.constantFrom("CORRECT" as const, "INCORRECT" as const, "STALE" as const),
  entryId: fc.constant(ENTRY.id),
  createTime: fc.constant(NOW),
  promptId: fc.constantFrom("p1", "p2", "p3", ENTRY.id),
  reporter: fc.constantFrom("r1", "r2"),
  similarity: fc.double({ min: 0, max: 1, noNaN: true }).map(Math.fround),
});

/** The entry after all reports. */
function after(reports: readonly OutcomeReport[], entry: CacheEntry = ENTRY): CacheEntry {
  return reports.reduce((reported, one) => applyReport(reported, one, NOW), entry);
}

describe("a report", () => {
  it("CORRECT changes nothing", () => {
    expect(applyReport(ENTRY, report({ outcome: "CORRECT" }), NOW)).toBe(ENTRY);
  });

  it("STALE leaves a tenth of the remaining lifetime, and never adds any", () => {
    const stale = applyReport(ENTRY, report({ outcome: "STALE" }), NOW + 200);
    expect(stale).toEqual({ ...ENTRY, expireTime: NOW + 280, etag: stale.etag });
    expect(stale.etag).not.toBe(ENTRY.etag);
    expect(applyReport(stale, report({ outcome: "STALE" }), NOW + 200).expireTime).toBe(NOW + 208);
    expect(applyReport(ENTRY, report({ outcome: "STALE" }), NOW + 5000).expireTime).toBe(NOW + 5000);
  });

  it("STALE makes an entry that is ever due so at once, and no other", () => {
    const due = { ...ENTRY, dueTime: NOW + 900 };
    expect(applyReport(due, report({ outcome: "STALE" }), NOW + 200).dueTime).toBe(NOW + 200);
    expect(applyReport({ ...due, dueTime: NOW }, report({ outcome: "STALE" }), NOW + 200).dueTime).toBe(NOW);
    expect(applyReport(ENTRY, report({ outcome: "STALE" }), NOW + 200)).not.toHaveProperty("dueTime");
  });

  it("INCORRECT vetoes the prompt and those no nearer, and no others", () => {
    const { feedback } = applyReport(ENTRY, report(), NOW);
    expect(isVetoed(feedback, { promptId: "p1", similarity: 0.99 })).toBe(true);
    expect(isVetoed(feedback, { promptId: "p2", similarity: 0.9 })).toBe(true);
    expect(isVetoed(feedback, { promptId: "p2", similarity: Math.fround(0.9) })).toBe(true);
    expect(isVetoed(feedback, { promptId: "p2", similarity: 0.901 })).toBe(false);
    // Its own prompt, whose similarity is no question.
    expect(isVetoed(feedback, { promptId: ENTRY.id })).toBe(false);
    expect(isVetoed(undefined, { promptId: "p1", similarity: 0.1 })).toBe(false);
  });

  it("INCORRECT about the entry's own prompt vetoes every prompt", () => {
    const { feedback } = applyReport(ENTRY, report({ promptId: ENTRY.id, similarity: 1 }), NOW);
    expect(isVetoed(feedback, { promptId: ENTRY.id })).toBe(true);
    expect(isVetoed(feedback, { promptId: "p2", similarity: 1 })).toBe(true);
    expect(feedback?.quarantined).toBe(false);
  });

  it.each([
    ["the same prompt by the same caller", {}, false],
    ["another prompt", { promptId: "p2" }, true],
    ["another caller", { reporter: "r2" }, true],
  ])("a second INCORRECT, of %s", (_, change, quarantined) => {
    const first = applyReport(ENTRY, report(), NOW);
    const second = applyReport(first, report(change), NOW);
    expect(second.feedback?.quarantined).toBe(quarantined);
    expect(second === first).toBe(!quarantined);
    expect(isVetoed(second.feedback, { promptId: "p9", similarity: 1 })).toBe(quarantined);
    expect(isVetoed(second.feedback, { promptId: ENTRY.id })).toBe(quarantined);
  });

  it("only ever makes an entry match less, keeps its content, and takes a bounded size", () => {
    fc.assert(
      fc.property(
        fc.array(anyReport, { maxLength: 40 }),
        anyReport,
        fc.record({
          promptId: fc.constantFrom("p1", "p2", "p4", ENTRY.id),
          similarity: fc.double({ min: 0, max: 1, noNaN: true }),
        }),
        (earlier, next, prompt) => {
          const before = after(earlier);
          const now = applyReport(before, next, NOW);
          expect(Number(isVetoed(now.feedback, prompt))).toBeGreaterThanOrEqual(
            Number(isVetoed(before.feedback, prompt)),
          );
          expect(now.expireTime).toBeLessThanOrEqual(before.expireTime);
          expect(now.feedback?.vetoes.length ?? 0).toBeLessThanOrEqual(MAX_VETOES);
          const { etag: _, feedback: __, expireTime: ___, ...content } = now;
          expect(ENTRY).toMatchObject(content);
          expect(now.etag === before.etag).toBe(now === before);
          if (next.outcome === "INCORRECT") expect(isVetoed(now.feedback, next)).toBe(true);
        },
      ),
      { seed: 1, numRuns: 500 },
    );
  });
});
