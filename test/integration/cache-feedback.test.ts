import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  GuardReason,
  LookupCacheResponse_Miss_Reason as MissReason,
  ReportCacheOutcomeRequest_Outcome as Outcome,
} from "#gen/recollect/v1/cache_pb.js";
import { refusalOf } from "../support/errors.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

const text = (value: string) => ({ prompt: { case: "text" as const, value } });
const PROMPT = "How do I cancel my order?";
const REWORDED = "how do i cancel the order";
const POLITE = "How do I cancel my order, please?";
const SCOPE = { model: "m" };

describe("ReportCacheOutcome", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app[Symbol.asyncDispose]());

  const store = (namespace: string, response = "so") =>
    app.cache.storeCacheEntry({
      namespace,
      prompt: text(PROMPT),
      origin: { case: "scope", value: SCOPE },
      response,
    });
  const lookup = (namespace: string, prompt = PROMPT, options: { shadow?: boolean } = {}) =>
    app.cache.lookupCache({ namespace, prompt: text(prompt), scope: SCOPE, options });
  const outcome = async (...asked: Parameters<typeof lookup>): Promise<string> => {
    const { outcome: found } = await lookup(...asked);
    if (found.case === "miss") return MissReason[found.value.reason];
    return found.case ?? "";
  };
  const report = async (namespace: string, prompt: string, reported = Outcome.INCORRECT) => {
    const { decisionId } = await lookup(namespace, prompt);
    return app.cache.reportCacheOutcome({ namespace, decisionId, outcome: reported });
  };

  it("INCORRECT about a similar prompt: it misses from the next lookup on, and the entry's own prompt does not", async () => {
    await store("similar");
    expect(await outcome("similar", REWORDED)).toBe("hit");
    expect(await report("similar", REWORDED)).toMatchObject({ applied: true });
    expect(await outcome("similar", REWORDED)).toBe("VETOED");
    expect(await outcome("similar")).toBe("hit");
    await store("similar", "another");
    expect(await outcome("similar", REWORDED)).toBe("hit");
  });

  it("INCORRECT about the entry's own prompt: the answer is not served for any", async () => {
    await store("own");
    await report("own", PROMPT);
    expect([await outcome("own"), await outcome("own", REWORDED)]).toEqual(["VETOED", "VETOED"]);
    const { entries } = await app.cache.listCacheEntries({ namespace: "own" });
    expect(entries).toMatchObject([{ quarantined: false }]);
    await store("own", "right");
    expect([await outcome("own"), await outcome("own", REWORDED)]).toEqual(["hit", "hit"]);
  });

  it("INCORRECT about two prompts quarantines the entry, until it is replaced", async () => {
    await store("twice");
    // Both were served before either was reported.
    const decisions = [await lookup("twice", REWORDED), await lookup("twice", POLITE)];
    expect(decisions.map(({ outcome: found }) => found.case)).toEqual(["hit", "hit"]);
    for (const { decisionId } of decisions) {
      await app.cache.reportCacheOutcome({ namespace: "twice", decisionId, outcome: Outcome.INCORRECT });
    }
    expect(await outcome("twice")).toBe("VETOED");
    // Without its vector, so that it is not among the nearest.
    expect(await outcome("twice", REWORDED)).toBe("NOT_FOUND");
    const { entries } = await app.cache.listCacheEntries({ namespace: "twice" });
    expect(entries).toMatchObject([{ quarantined: true }]);
    const { entry } = await store("twice", "right");
    expect(entry?.quarantined).toBe(false);
    expect([await outcome("twice"), await outcome("twice", REWORDED)]).toEqual(["hit", "hit"]);
  });

  it("STALE leaves a tenth of the lifetime, and CORRECT all of it", async () => {
    const { entry } = await store("stale");
    const expireTime = async () => {
      const { entry: stored } = await app.cache.getCacheEntry({ namespace: "stale", id: entry?.id ?? "" });
      return Number(stored?.expireTime?.seconds);
    };
    await report("stale", PROMPT, Outcome.CORRECT);
    expect(await expireTime()).toBe(Number(entry?.expireTime?.seconds));
    await report("stale", PROMPT, Outcome.STALE);
    const left = (await expireTime()) - Date.now() / 1000;
    const before = Number(entry?.expireTime?.seconds) - Date.now() / 1000;
    expect(left).toBeLessThan(before / 9);
    expect(left).toBeGreaterThan(before / 11 - 2);
  });

  it("and all that lookups decide and save is in GetCacheStats", async () => {
    const namespace = "stats";
    const storeBooks = () =>
      app.cache.storeCacheEntry({
        namespace,
        prompt: text("How do I cancel my order of 3 books?"),
        origin: { case: "scope", value: SCOPE },
        response: "so",
        usage: { promptTokens: 7, completionTokens: 5, costUsd: 0.25 },
      });
    await storeBooks();
    for (let hit = 0; hit < 2; hit += 1) await lookup(namespace, "How do I cancel my order of 3 books?");
    await app.cache.lookupCache({
      namespace,
      prompt: text("How do I cancel my order of 4 books?"),
      scope: SCOPE,
      options: { threshold: 0.1 },
    });
    await report(namespace, "How do I cancel my order of 3 books?", Outcome.CORRECT);
    await app.cache.invalidateCache({ namespace });
    await lookup(namespace, "How do I cancel my order of 3 books?");
    const stats = await app.cache.getCacheStats({ namespace });
    expect(stats).toMatchObject({
      ...{ entryCount: 0, exactHits: 3n, misses: 2n },
      ...{ invalidations: 1n, expirations: 0n, quarantines: 0n, correctReports: 1n, incorrectReports: 0n },
      saved: { promptTokens: 21n, completionTokens: 15n, costUsd: 0.75 },
      missesByReason: [
        { reason: MissReason.NOT_FOUND, count: 1n },
        { reason: MissReason.GUARD, count: 1n },
      ],
    });
    expect(stats.guardRefusals).toContainEqual(
      expect.objectContaining({ reason: GuardReason.NUMBER, count: 1n }),
    );
    // Replaces the invalidated entry, unless it was removed already.
    await storeBooks();
    const scraped = await (await fetch(`${app.httpUrl}/metrics`)).text();
    expect(scraped).toMatch(/^recollect_cache_saved_tokens_total\{kind="prompt"[^}]*\} [1-9]/m);
    expect(scraped).toMatch(/^recollect_cache_reports_total\{outcome="CORRECT"[^}]*\} [1-9]/m);
    expect(scraped).toMatch(/^recollect_cache_evictions_total\{reason="invalidated"[^}]*\} [1-9]/m);
    expect(scraped).toMatch(/^recollect_cache_evictions_total\{reason="quarantined"[^}]*\} [1-9]/m);
    expect(scraped).toMatch(/^recollect_cache_guard_refusals_total\{reason="NUMBER"[^}]*\} [1-9]/m);
  });

  it("about an answer that was replaced or deleted is OK and changes nothing", async () => {
    await store("gone");
    const { decisionId } = await lookup("gone");
    const reported = { namespace: "gone", decisionId, outcome: Outcome.INCORRECT };
    const { entry } = await store("gone", "new");
    expect(await app.cache.reportCacheOutcome(reported)).toMatchObject({ applied: false });
    expect(await outcome("gone")).toBe("hit");
    await app.cache.deleteCacheEntry({ namespace: "gone", id: entry?.id ?? "" });
    expect(await app.cache.reportCacheOutcome(reported)).toMatchObject({ applied: false });
  });

  it.each<[string, () => Promise<{ namespace: string; decisionId: string }>, string]>([
    [
      "of a miss",
      async () => ({ namespace: "r", decisionId: (await lookup("r", "never stored")).decisionId }),
      "miss",
    ],
    [
      "of shadow mode",
      async () => ({ namespace: "r", decisionId: (await lookup("r", PROMPT, { shadow: true })).decisionId }),
      "miss",
    ],
    [
      "of another namespace",
      async () => ({ namespace: "other", decisionId: (await lookup("r")).decisionId }),
      "namespace",
    ],
    ["that is no token", async () => ({ namespace: "r", decisionId: "x".repeat(300) }), "malformed"],
    [
      "with a changed byte",
      async () => {
        const { decisionId } = await lookup("r");
        const last = decisionId.at(-5) === "A" ? "B" : "A";
        return { namespace: "r", decisionId: `${decisionId.slice(0, -5)}${last}${decisionId.slice(-4)}` };
      },
      "signature",
    ],
  ])("refuses a decision %s", async (_, make, cause) => {
    await store("r");
    const refused = app.cache.reportCacheOutcome({ ...(await make()), outcome: Outcome.INCORRECT });
    expect(await refusalOf(refused)).toMatchObject({
      code: "InvalidArgument",
      reason: "DECISION_INVALID",
      metadata: { cause },
    });
    expect(await outcome("r")).toBe("hit");
  });
});
