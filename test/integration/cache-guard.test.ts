import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  CacheGuard,
  CacheStrategy,
  GuardReason,
  type LookupCacheRequest_OptionsSchema,
  LookupCacheResponse_Hit_Match as Match,
  LookupCacheResponse_Miss_Reason as Reason,
} from "#gen/recollect/v1/cache_pb.js";
import { testKey } from "../support/api-keys.ts";
import { refusalOf } from "../support/errors.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

type Options = MessageInitShape<typeof LookupCacheRequest_OptionsSchema>;

const scope = { model: "gpt-5" };
const text = (value: string) => ({ prompt: { case: "text" as const, value } });

const STORED = "How do I reset a forgotten account password?";
/** Similar by hashing, with one word in place of another, and with another number. */
const SUBSTITUTED = "How do I reset a forgotten account nickname?";
const NUMBERED = "How do I reset 2 forgotten account passwords?";

describe("the guard of the cache", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { CACHE_SIMILARITY_THRESHOLD: "0.5" } });
  });
  afterAll(() => app[Symbol.asyncDispose]());

  async function fill(namespace: string, guard?: CacheGuard): Promise<void> {
    const origin = { case: "scope" as const, value: scope };
    await app.cache.storeCacheEntry({ namespace, prompt: text(STORED), origin, response: "Open Settings." });
    if (guard !== undefined) await app.cache.updateCachePolicy({ namespace, policy: { guard } });
  }

  async function lookUp(namespace: string, prompt: string, options: Options = {}): Promise<object> {
    const { outcome } = await app.cache.lookupCache({ namespace, prompt: text(prompt), scope, options });
    if (outcome.case === "hit") return { hit: Match[outcome.value.match] };
    const { reason = 0, guardReasons = [], guard = 0, nearestSimilarity } = outcome.value ?? {};
    return {
      miss: Reason[reason],
      reasons: guardReasons.map((one) => GuardReason[one]),
      guard: CacheGuard[guard],
      similarity: nearestSimilarity,
    };
  }

  const similarity: unknown = expect.closeTo(0.8, 0);
  const refused = (guard: string, ...reasons: string[]) => ({ miss: "GUARD", reasons, guard, similarity });

  it("is the server's, BALANCED by default", async () => {
    await fill("by-default");
    expect(await lookUp("by-default", SUBSTITUTED)).toEqual(refused("BALANCED", "SUBSTITUTION"));
    expect(await app.cache.getCachePolicy({ namespace: "by-default" })).toMatchObject({
      policy: { guard: CacheGuard.UNSPECIFIED },
      effectiveGuard: CacheGuard.BALANCED,
    });
  });

  it("follows the policy of the namespace from the next lookup on", async () => {
    await fill("own");
    const set = (guard: CacheGuard) =>
      app.cache.updateCachePolicy({ namespace: "own", policy: { guard }, updateMask: { paths: ["guard"] } });
    for (let round = 0; round < 2; round += 1) {
      // The same request each time: the server caches what it has prepared for it, and its last verdict.
      await set(CacheGuard.CLOSED);
      expect(await lookUp("own", SUBSTITUTED)).toEqual({ hit: "SEMANTIC" });
      expect(await lookUp("own", NUMBERED)).toEqual(refused("CLOSED", "NUMBER"));
      await set(CacheGuard.OFF);
      expect(await lookUp("own", NUMBERED)).toEqual({ hit: "SEMANTIC" });
      await set(CacheGuard.STRICT);
      expect(await lookUp("own", SUBSTITUTED)).toEqual(refused("STRICT", "SUBSTITUTION"));
      expect(await lookUp("own", NUMBERED)).toEqual(refused("STRICT", "NUMBER"));
      await set(CacheGuard.UNSPECIFIED);
      expect(await lookUp("own", SUBSTITUTED)).toEqual(refused("BALANCED", "SUBSTITUTION"));
    }
  });

  it("may be stricter in a call, and never looser", async () => {
    await fill("call", CacheGuard.CLOSED);
    expect(await lookUp("call", SUBSTITUTED, { guard: CacheGuard.CLOSED })).toEqual({ hit: "SEMANTIC" });
    expect(await lookUp("call", SUBSTITUTED, { guard: CacheGuard.STRICT })).toEqual(
      refused("STRICT", "SUBSTITUTION"),
    );
    const loose = (namespace: string, guard: CacheGuard, strategy = CacheStrategy.UNSPECIFIED) =>
      refusalOf(lookUp(namespace, STORED, { guard, strategy }));
    for (const strategy of [CacheStrategy.EXACT, CacheStrategy.HYBRID, CacheStrategy.SEMANTIC]) {
      expect(await loose("call", CacheGuard.OFF, strategy)).toMatchObject({
        code: "InvalidArgument",
        reason: "GUARD_TOO_LOOSE",
        metadata: { asked: "off", allowed: "closed" },
        fields: ["options.guard"],
      });
    }
    // Where the namespace has no policy, or does not exist: the server's.
    expect(await loose("nowhere", CacheGuard.CLOSED)).toMatchObject({
      reason: "GUARD_TOO_LOOSE",
      metadata: { asked: "closed", allowed: "balanced" },
    });
  });

  it("does not apply to equal prompts", async () => {
    await fill("equal", CacheGuard.STRICT);
    expect(await lookUp("equal", STORED)).toEqual({ hit: "EXACT" });
    expect(await lookUp("equal", STORED, { strategy: CacheStrategy.SEMANTIC })).toEqual({ hit: "SEMANTIC" });
  });

  it("explains a miss: nearest similarity, all reasons, and the strictness, also below the threshold", async () => {
    await fill("explained");
    const negated = "How do I not reset 2 forgotten account passwords?";
    expect(await lookUp("explained", negated, { threshold: 1 })).toEqual({
      miss: "BELOW_THRESHOLD",
      reasons: ["NEGATION", "NUMBER"],
      guard: "BALANCED",
      similarity,
    });
    // Another question altogether.
    const other = await lookUp("explained", "Which tea is good for the evening?");
    expect(other).toMatchObject({ miss: "BELOW_THRESHOLD", guard: "BALANCED" });
    expect(other).toHaveProperty("similarity", expect.any(Number));
    expect(
      await lookUp("explained", STORED, { strategy: CacheStrategy.SEMANTIC, maxAge: { nanos: 1 } }),
    ).toEqual({
      miss: "TOO_OLD",
      reasons: [],
      guard: "BALANCED",
      similarity: 1,
    });
    expect(await lookUp("empty", STORED)).toEqual({
      miss: "NOT_FOUND",
      reasons: [],
      guard: "BALANCED",
      similarity: undefined,
    });
  });

  it("has a threshold in the call as a hard floor for both kinds of pairs", async () => {
    await fill("floor");
    const aligned = "please, how do I reset a forgotten account password";
    expect(await lookUp("floor", aligned)).toEqual({ hit: "SEMANTIC" });
    expect(await lookUp("floor", aligned, { threshold: 1 })).toMatchObject({
      miss: "BELOW_THRESHOLD",
      reasons: [],
    });
    // A lower one lowers nothing.
    const other = "Which tea is good for the evening?";
    expect(await lookUp("floor", other, { threshold: 0 })).toMatchObject({ miss: "BELOW_THRESHOLD" });
  });

  it("is changed for the expected etag alone, and only as the mask says", async () => {
    const namespace = "etags";
    const first = await app.cache.updateCachePolicy({ namespace, policy: { guard: CacheGuard.STRICT } });
    const etag = first.policy?.etag ?? "";
    expect(first.policy?.updateTime).toBeDefined();
    expect(await app.cache.getCachePolicy({ namespace })).toMatchObject({
      policy: { guard: CacheGuard.STRICT, etag },
    });
    const policy = { guard: CacheGuard.OFF, etag };
    const changed = await app.cache.updateCachePolicy({ namespace, policy });
    expect(changed.policy?.etag).not.toBe(etag);
    expect(await refusalOf(app.cache.updateCachePolicy({ namespace, policy }))).toMatchObject({
      code: "Aborted",
      reason: "ETAG_MISMATCH",
      metadata: { current_etag: changed.policy?.etag },
    });
    const unset = await app.cache.updateCachePolicy({ namespace, policy: {} });
    expect(unset.policy?.guard).toBe(CacheGuard.OFF);
    const cleared = await app.cache.updateCachePolicy({
      namespace,
      policy: {},
      updateMask: { paths: ["*"] },
    });
    expect(cleared).toMatchObject({
      policy: { guard: CacheGuard.UNSPECIFIED },
      effectiveGuard: CacheGuard.BALANCED,
    });
    const wrong = app.cache.updateCachePolicy({ namespace, policy: {}, updateMask: { paths: ["etag"] } });
    expect(await refusalOf(wrong)).toMatchObject({ reason: "REQUEST_INVALID", fields: ["update_mask"] });
  });

  it("shows in /ready and in a metric while it is off somewhere, without names", async () => {
    await using own = await startApp();
    const warnings = async (): Promise<string> => (await fetch(`${own.httpUrl}/ready`)).text();
    const metric = async () => {
      const metrics = await (await fetch(`${own.httpUrl}/metrics`)).text();
      const value = (which: string) =>
        Number(
          new RegExp(`^recollect_cache_guard_off\\{scope="${which}"[^}]*\\} (\\d+)`, "m").exec(metrics)?.[1],
        );
      return [value("server"), value("namespace")];
    };
    expect(await warnings()).not.toContain("guard");
    expect(await metric()).toEqual([0, 0]);
    const set = (namespace: string, guard: CacheGuard) =>
      own.cache.updateCachePolicy({ namespace, policy: { guard } });
    await set("hidden-name", CacheGuard.OFF);
    await set("another", CacheGuard.OFF);
    expect(await metric()).toEqual([0, 2]);
    expect(await warnings()).toMatch(/cache policy of 2 namespaces.*guard off/);
    expect(await warnings()).not.toContain("hidden-name");
    await set("hidden-name", CacheGuard.CLOSED);
    await own.memory.deleteNamespace({ namespace: "another", force: true });
    // A lookup sees that the namespace has no policy any more.
    await own.cache.lookupCache({ namespace: "another", prompt: text(STORED), scope });
    expect(await metric()).toEqual([0, 0]);
    expect(await warnings()).not.toContain("guard");
  });

  it("shows in /ready and in a metric while it is off for the whole server", async () => {
    await using own = await startApp({ env: { CACHE_GUARD: "off" } });
    expect(await (await fetch(`${own.httpUrl}/ready`)).json()).toMatchObject({
      status: "ready",
      warnings: expect.arrayContaining([expect.stringMatching(/^CACHE_GUARD=off/)]),
    });
    expect(await (await fetch(`${own.httpUrl}/metrics`)).text()).toMatch(
      /^recollect_cache_guard_off\{scope="server"[^}]*\} 1$/m,
    );
    const call = { prompt: text(STORED), scope, options: { guard: CacheGuard.OFF } };
    expect((await own.cache.lookupCache(call)).outcome.case).toBe("miss");
  });

  it("is changed by operators alone, and by callers of another tenant never", async () => {
    const writer = testKey({ roles: ["reader", "writer", "admin"], debug: true });
    const operator = testKey({ roles: ["operator"] });
    const stranger = testKey({ tenant: "other", roles: ["reader", "writer", "operator"] });
    await using own = await startApp({ apiKeys: [writer, operator, stranger] });
    const as = ({ key }: typeof writer) => ({ headers: { authorization: `Bearer ${key}` } });
    const namespace = "shop";
    const set = { namespace, policy: { guard: CacheGuard.OFF } };
    expect(await refusalOf(own.cache.updateCachePolicy(set, as(writer)))).toMatchObject({
      code: "PermissionDenied",
      reason: "ROLE_MISSING",
    });
    await own.cache.updateCachePolicy(set, as(stranger));
    const policyFor = async (caller: typeof writer) =>
      (await own.cache.getCachePolicy({ namespace }, as(caller))).policy?.guard;
    expect(await policyFor(operator)).toBe(CacheGuard.UNSPECIFIED);
    const lookup = { namespace, prompt: text(STORED), scope, options: { guard: CacheGuard.OFF } };
    expect(await refusalOf(own.cache.lookupCache(lookup, as(writer)))).toMatchObject({
      reason: "GUARD_TOO_LOOSE",
    });
    expect((await own.cache.lookupCache(lookup, as(stranger))).outcome.case).toBe("miss");
    await own.cache.updateCachePolicy(set, as(operator));
    expect((await own.cache.lookupCache(lookup, as(writer))).outcome.case).toBe("miss");
  });
});
