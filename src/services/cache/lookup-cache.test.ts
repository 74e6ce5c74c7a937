import { createSecretKey } from "node:crypto";
import { describe, expect, it, vi } from "vitest";
import { unboundedWork } from "../../../test/support/unbounded-work.ts";
import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import { analyzePrompt } from "../../domain/cache/analysis.ts";
import { openDecision } from "../../domain/cache/decision-token.ts";
import type { CacheEntry } from "../../domain/cache/entry.ts";
import { EMPTY_LEXICON } from "../../domain/cache/lexicon.ts";
import type { CacheLookup } from "../../domain/cache/lookup-counts.ts";
import type { Neighbour } from "../../domain/cache/matching.ts";
import type { CachePolicy } from "../../domain/cache/policy.ts";
import { cacheEntryId, scopeFingerprint } from "../../domain/cache/scope.ts";
import { ModelChanged } from "../../domain/embedding/identity.ts";
import { RecollectError } from "../../domain/errors.ts";
import type { FoundEntries, NearestQuery } from "../../ports/cache/cache-store.ts";
import type { Embedder } from "../../ports/embedding/embedder.ts";
import type { CallContext } from "../call.ts";
import type { CacheSettings } from "./cache-settings.ts";
import { type LookupCachePorts, lookupCache } from "./lookup-cache.ts";
import { type LookupCacheInput, prepareLookup } from "./prepared-lookup.ts";

const NOW = 1_700_000_000_000;
const GENERATION = NOW - 5000;
const SECRET = createSecretKey(Buffer.alloc(32, 1));
const PROMPT = "How do I bake bread?";
const INPUT: LookupCacheInput = {
  namespace: "",
  prompt: PROMPT,
  cacheScope: {
    model: "m",
    systemPrompt: "",
    history: [],
    parameters: {},
    tools: [],
    responseFormat: {},
    locale: "",
    knowledgeVersion: "",
    sharing: "tenant",
  },
  shadow: false,
};
const SETTINGS: CacheSettings = {
  enabled: true,
  strategy: "HYBRID",
  similarityThreshold: 0.85,
  alignedThreshold: 0.5,
  guard: "balanced",
  defaultTtlMs: 1000,
  maxAgeMs: 86_400_000,
  maxEntries: 10,
  maxBytes: undefined,
  evictionPolicy: "LRU",
  adaptiveTtl: true,
  lookupDeadlineMs: 60_000,
};
const USAGE = { promptTokens: 1, completionTokens: 2, generationMs: 3, costUsd: 0.5 };
const FINGERPRINT = scopeFingerprint(INPUT.cacheScope);
const PROMPT_ID = cacheEntryId({ tenant: "t", namespace: "default" }, FINGERPRINT, PROMPT);
const ENTRY: CacheEntry = {
  id: "ab".repeat(32),
  fingerprint: FINGERPRINT,
  model: "m",
  knowledge: "",
  prompt: PROMPT,
  analysis: analyzePrompt(PROMPT),
  response: "With flour.",
  tags: [],
  metadata: {},
  createTime: NOW - 5,
  expireTime: NOW + 1000,
  etag: "e",
};

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);
const down = async (): Promise<never> => {
  throw new RecollectError("STORE_UNAVAILABLE", "down");
};

function embedder(embed: Embedder["embed"]): Embedder {
  return { identity: { provider: "p", model: "m", dimension: 2 }, embed };
}

/** As a handler calls it. */
function lookup(ports: LookupCachePorts, input: LookupCacheInput, { caller, ...call }: CallContext) {
  return lookupCache(ports, prepareLookup(input, caller), call);
}

/** A store by kind of query: the exact entry, the nearest, or both. */
interface FakeStore {
  readonly find: (
    ...asked: [namespace: NamespaceKey, id: string, now: number]
  ) => Promise<CacheEntry | undefined>;
  readonly nearest: (
    ...asked: [namespace: NamespaceKey, query: NearestQuery, now: number]
  ) => Promise<readonly Neighbour[]>;
  readonly both: (
    ...asked: [namespace: NamespaceKey, id: string, query: NearestQuery, now: number]
  ) => Promise<Omit<FoundEntries, "policy">>;
  /** Read with every query. */
  readonly policy: CachePolicy;
  readonly claimRefresh: LookupCachePorts["store"]["claimRefresh"];
  readonly countLookup: LookupCachePorts["store"]["countLookup"];
}

function storeOf(store: FakeStore): LookupCachePorts["store"] {
  const { find, nearest, both, claimRefresh, countLookup, policy } = store;
  return {
    lookup: async (namespace, { id, nearest: query }, now) => {
      if (id !== undefined && query !== undefined)
        return { ...(await both(namespace, id, query, now)), policy };
      return {
        exact: id === undefined ? undefined : await find(namespace, id, now),
        nearest: query === undefined ? [] : await nearest(namespace, query, now),
        generation: GENERATION,
        policy,
      };
    },
    claimRefresh,
    countLookup,
  };
}

interface Changes {
  readonly store?: Partial<FakeStore>;
  readonly embedder?: Embedder | undefined;
  readonly settings?: Partial<CacheSettings>;
}

/** Ports of an empty, working cache, with these changes. */
function portsWith(changes: Changes = {}) {
  const metrics = {
    cacheLookup: vi.fn(),
    cacheGuardRefused: vi.fn(),
    cacheSaved: vi.fn(),
    vectorSearch: vi.fn(),
  };
  const log = { warn: vi.fn() };
  const store = {
    find: vi.fn<FakeStore["find"]>(async () => undefined),
    nearest: vi.fn<FakeStore["nearest"]>(async () => []),
    both: vi.fn<FakeStore["both"]>(async () => ({ exact: undefined, nearest: [], generation: GENERATION })),
    claimRefresh: vi.fn<FakeStore["claimRefresh"]>(async () => true),
    countLookup: vi.fn<FakeStore["countLookup"]>(() => undefined),
    policy: {},
    ...changes.store,
  };
  const ports: LookupCachePorts = {
    store: storeOf(store),
    guards: { saw: () => undefined },
    embedder:
      "embedder" in changes
        ? changes.embedder
        : embedder(async () => [{ vector: Float32Array.of(1, 0), truncated: false }]),
    lexicon: EMPTY_LEXICON,
    secret: () => SECRET,
    clock: { now: () => NOW },
    metrics,
    log,
    settings: () => ({ ...SETTINGS, ...changes.settings }),
    work: unboundedWork,
  };
  return { ports, metrics, log, store };
}

const context = (signal: AbortSignal = new AbortController().signal): CallContext => ({
  caller: { tenant: "t", principal: "p", roles: new Set(), debug: false },
  signal,
  arrival: performance.now(),
  deadline: Number.POSITIVE_INFINITY,
});

describe("lookupCache fails open", () => {
  const HANGS = { lookupDeadlineMs: 5 };

  it.each<[string, Changes, string]>([
    ["the embedder rejects", { embedder: embedder(down) }, "EMBEDDER_UNAVAILABLE"],
    ["the embedder hangs", { embedder: embedder(never), settings: HANGS }, "EMBEDDER_UNAVAILABLE"],
    ["the embedder gives nothing", { embedder: embedder(async () => []) }, "EMBEDDER_UNAVAILABLE"],
    ["the store rejects the exact read", { store: { find: down } }, "STORE_UNAVAILABLE"],
    ["the store hangs in the exact read", { store: { find: never }, settings: HANGS }, "STORE_UNAVAILABLE"],
    ["the store rejects the nearest", { store: { nearest: down } }, "STORE_UNAVAILABLE"],
    ["the store hangs in the nearest", { store: { nearest: never }, settings: HANGS }, "STORE_UNAVAILABLE"],
    [
      "the store rejects with what is no error of ours",
      { store: { find: () => Promise.reject(new TypeError("bug")) } },
      "STORE_UNAVAILABLE",
    ],
  ])("when %s", async (failure, changes, reason) => {
    const { ports, metrics } = portsWith(changes);
    const { decisionId, outcome } = await lookup(ports, INPUT, context());
    // The policy of the namespace comes with the exact read.
    const guard = /exact|no error of ours/.test(failure) ? undefined : "balanced";
    expect(outcome).toEqual({ kind: "miss", reason, threshold: 0.85, guardReasons: [], guard });
    expect(metrics.cacheLookup.mock.calls).toEqual([["miss", reason]]);
    expect(openDecision(decisionId, SECRET, NOW)).toMatchObject({
      entryId: "",
      promptId: PROMPT_ID,
      similarity: 0,
    });
  });

  it("and compares a later store by the time, when the generation is not known", async () => {
    const generationOf = async (changes: Changes): Promise<number> => {
      const { decisionId } = await lookup(portsWith(changes).ports, INPUT, context());
      return openDecision(decisionId, SECRET, NOW).generation;
    };
    expect(await generationOf({})).toBe(GENERATION);
    expect(await generationOf({ embedder: embedder(down) })).toBe(GENERATION);
    expect(await generationOf({ store: { nearest: down } })).toBe(GENERATION);
    // Clocks of replicas may differ by a second.
    expect(await generationOf({ store: { find: down } })).toBe(NOW - 1000);
  });

  it("and logs it, without the prompt", async () => {
    const { ports, log } = portsWith({ store: { find: down } });
    await lookup(ports, INPUT, context());
    expect(log.warn).toHaveBeenCalledTimes(1);
    expect(log.warn.mock.calls[0]?.[0]).toMatchObject({
      reason: "STORE_UNAVAILABLE",
      err: expect.any(RecollectError),
    });
    expect(JSON.stringify(log.warn.mock.calls)).not.toContain(PROMPT);
  });

  it("with the exact hit, while the embedder is down", async () => {
    const { ports } = portsWith({ store: { find: async () => ENTRY }, embedder: embedder(down) });
    const { outcome } = await lookup(ports, INPUT, context());
    expect(outcome).toMatchObject({ kind: "hit", match: "EXACT", similarity: 1, threshold: 0, ageMs: 5 });
  });

  it("and passes the embedder a signal that the deadline aborts", async () => {
    let aborted: AbortSignal | undefined;
    const { ports } = portsWith({
      embedder: embedder((_, signal) => {
        aborted = signal;
        return never();
      }),
      settings: HANGS,
    });
    await lookup(ports, INPUT, context());
    expect(aborted?.aborted).toBe(true);
  });

  it("and counts its deadline from the arrival of the call", async () => {
    const hour = 3_600_000;
    const { ports } = portsWith({ store: { find: never }, settings: { lookupDeadlineMs: hour } });
    const { outcome } = await lookup(ports, INPUT, { ...context(), arrival: performance.now() - hour });
    expect(outcome).toMatchObject({ kind: "miss", reason: "STORE_UNAVAILABLE" });
  });

  it("without embedding the prompt when the semantic match would be refused", async () => {
    const embed = vi.fn(async () => [{ vector: Float32Array.of(1, 0), truncated: false }]);
    const { ports, log, store } = portsWith({ embedder: embedder(embed) });
    const work = { ...unboundedWork, refusal: () => new RecollectError("SERVER_OVERLOADED", "busy") };
    const { outcome } = await lookup({ ...ports, work }, INPUT, context());
    expect(outcome).toEqual({
      kind: "miss",
      reason: "SERVER_OVERLOADED",
      threshold: 0.85,
      guardReasons: [],
      guard: "balanced",
    });
    expect(embed).not.toHaveBeenCalled();
    expect(store.nearest).not.toHaveBeenCalled();
    // Counted, but too frequent for the log.
    expect(log.warn).not.toHaveBeenCalled();
  });

  it("when its deadline passes while it is queued", async () => {
    const { ports, store } = portsWith({ settings: HANGS });
    const { outcome } = await lookup({ ...ports, work: { ...unboundedWork, run: never } }, INPUT, context());
    expect(outcome).toMatchObject({ kind: "miss", reason: "SERVER_OVERLOADED" });
    expect(store.nearest).not.toHaveBeenCalled();
  });

  it("but rejects when the call was cancelled", async () => {
    const reason = new Error("cancelled");
    const controller = new AbortController();
    const { ports, metrics } = portsWith({
      embedder: embedder(() => {
        controller.abort(reason);
        return never();
      }),
    });
    await expect(lookup(ports, INPUT, context(controller.signal))).rejects.toBe(reason);
    expect(metrics.cacheLookup).not.toHaveBeenCalled();
  });
});

describe("a prompt that is looked up again", () => {
  const VECTOR = Float32Array.of(1, 0);
  const NEAREST = [{ entry: ENTRY, similarity: 0.75 }];
  const found = { exact: undefined, nearest: NEAREST, generation: GENERATION };
  /** Looks up one prompt so many times, and returns the outcomes. */
  const lookUp = async (ports: LookupCachePorts, times: number, { caller, signal } = context()) => {
    const prepared = prepareLookup(INPUT, caller);
    const outcomes: string[] = [];
    for (let time = 0; time < times; time += 1) {
      const { outcome } = await lookupCache(ports, prepared, { signal, arrival: performance.now() });
      outcomes.push(outcome.kind === "hit" ? outcome.match : outcome.reason);
    }
    return outcomes;
  };
  const calls = ({ find, nearest, both }: ReturnType<typeof portsWith>["store"]) =>
    [find, nearest, both].map((method) => vi.mocked(method).mock.calls.length);
  const embed = vi.fn(async () => [{ vector: VECTOR, truncated: false }]);

  it("is looked up both ways in one step when it had no exact match, and not embedded again", async () => {
    embed.mockClear();
    const { ports, store } = portsWith({
      embedder: embedder(embed),
      store: { nearest: vi.fn(async () => NEAREST), both: vi.fn(async () => found) },
    });
    expect(await lookUp(ports, 3)).toEqual(["SEMANTIC", "SEMANTIC", "SEMANTIC"]);
    expect(calls(store)).toEqual([1, 1, 2]);
    expect(embed).toHaveBeenCalledTimes(1);
    expect(vi.mocked(store.both).mock.calls[0]?.slice(1)).toEqual([
      PROMPT_ID,
      { fingerprint: FINGERPRINT, vector: VECTOR, limit: 3 },
      NOW,
    ]);
  });

  it("is looked up by exact match only once it has one", async () => {
    const { ports, store } = portsWith({
      embedder: embedder(embed),
      store: {
        find: vi.fn().mockResolvedValueOnce(undefined).mockResolvedValue(ENTRY),
        both: vi.fn(async () => ({ exact: ENTRY, nearest: NEAREST, generation: GENERATION })),
      },
    });
    expect(await lookUp(ports, 4)).toEqual(["NOT_FOUND", "EXACT", "EXACT", "EXACT"]);
    expect(calls(store)).toEqual([3, 1, 1]);
  });

  it("skips an exact match that is too old", async () => {
    const old = { ...ENTRY, createTime: NOW - SETTINGS.maxAgeMs - 1 };
    const { ports } = portsWith({
      embedder: embedder(embed),
      store: {
        nearest: async () => NEAREST,
        both: async () => ({ exact: old, nearest: NEAREST, generation: GENERATION }),
      },
    });
    expect(await lookUp(ports, 2)).toEqual(["SEMANTIC", "SEMANTIC"]);
  });

  it.each([
    ["the store fails", () => new RecollectError("STORE_UNAVAILABLE", "no index")],
    ["the model has changed", () => new ModelChanged()],
  ])("is looked for step by step when %s", async (_, error) => {
    const { ports, store } = portsWith({
      embedder: embedder(embed),
      store: {
        nearest: vi.fn(async () => NEAREST),
        both: vi.fn(() => Promise.reject(error())),
      },
    });
    expect(await lookUp(ports, 3)).toEqual(["SEMANTIC", "SEMANTIC", "SEMANTIC"]);
    expect(calls(store)).toEqual([3, 3, 2]);
  });

  it("is a miss when the deadline passes, without further requests", async () => {
    const { ports, store, log } = portsWith({
      embedder: embedder(embed),
      store: {
        both: vi.fn(() => never<FoundEntries>()),
      },
      settings: { lookupDeadlineMs: 5 },
    });
    expect(await lookUp(ports, 2)).toEqual(["NOT_FOUND", "STORE_UNAVAILABLE"]);
    expect(calls(store)).toEqual([1, 1, 1]);
    expect(log.warn).toHaveBeenCalledTimes(1);
  });

  it("has the same decision within a second, and another one for another outcome", async () => {
    const { ports } = portsWith({
      embedder: embedder(embed),
      store: {
        nearest: vi.fn().mockResolvedValueOnce([]).mockResolvedValue(NEAREST),
        both: vi
          .fn()
          .mockResolvedValueOnce({ exact: undefined, nearest: [], generation: GENERATION })
          .mockResolvedValue(found),
      },
    });
    let now = NOW;
    const ticking = { ...ports, clock: { now: () => now } };
    const prepared = prepareLookup(INPUT, context().caller);
    const decide = async (time: number) => {
      now = time;
      return (await lookupCache(ticking, prepared, context())).decisionId;
    };
    const [first, second, third, fourth] = [
      await decide(NOW),
      await decide(NOW + 999),
      await decide(NOW + 999),
      await decide(NOW + 1000),
    ];
    expect(second).toBe(first);
    expect(openDecision(third, SECRET, NOW)).toMatchObject({ entryId: ENTRY.id, time: NOW });
    expect(openDecision(fourth, SECRET, NOW)).toMatchObject({ entryId: ENTRY.id, time: NOW + 1000 });
  });
});

describe("lookupCache", () => {
  it("serves the nearest prompt, and its decision names it", async () => {
    const nearest = async () => [{ entry: ENTRY, similarity: 0.75 }];
    const { ports, metrics } = portsWith({ store: { nearest } });
    const { decisionId, outcome } = await lookup(ports, INPUT, context());
    expect(outcome).toMatchObject({ kind: "hit", match: "SEMANTIC", similarity: 0.75, threshold: 0.5 });
    expect(openDecision(decisionId, SECRET, NOW)).toMatchObject({
      entryId: ENTRY.id,
      similarity: 0.75,
      time: NOW,
    });
    expect(metrics.cacheLookup.mock.calls).toEqual([["semantic", "SEMANTIC"]]);
  });

  it("never returns a negative age when the clock of another replica is ahead", async () => {
    const { ports } = portsWith({ store: { find: async () => ({ ...ENTRY, createTime: NOW + 50 }) } });
    expect((await lookup(ports, INPUT, context())).outcome).toMatchObject({ kind: "hit", ageMs: 0 });
  });

  it("uses neither embedder nor store when the cache is switched off", async () => {
    const { ports, store } = portsWith({ settings: { enabled: false } });
    expect((await lookup(ports, INPUT, context())).outcome).toMatchObject({ reason: "DISABLED" });
    const asked = [store.find, store.nearest, store.countLookup];
    expect(asked.map((method) => vi.mocked(method).mock.calls.length)).toEqual([0, 0, 0]);
  });

  it.each([
    [4, undefined, "miss"],
    [4, 1000, "miss"],
    [5, undefined, "hit"],
    [1000, 4, "miss"],
  ] as const)(
    "serves nothing older than the settings (%s ms) or the call (%s ms) say",
    async (most, asked, kind) => {
      const { ports } = portsWith({ store: { find: async () => ENTRY }, settings: { maxAgeMs: most } });
      const input = {
        ...INPUT,
        strategy: "EXACT" as const,
        ...(asked === undefined ? {} : { maxAgeMs: asked }),
      };
      expect((await lookup(ports, input, context())).outcome).toMatchObject(
        kind === "hit" ? { kind } : { kind, reason: "TOO_OLD" },
      );
    },
  );

  it("uses the same settings for the whole call", async () => {
    const { ports, store } = portsWith();
    let enabled = true;
    const settings = () => ({ ...SETTINGS, enabled });
    const find = async () => {
      enabled = false;
      return ENTRY;
    };
    await lookup({ ...ports, settings, store: storeOf({ ...store, find }) }, INPUT, context());
    expect(vi.mocked(store.countLookup)).toHaveBeenCalledTimes(1);
  });

  it.each([
    ["EXACT", 1, 0],
    ["SEMANTIC", 0, 1],
    ["HYBRID", 1, 1],
  ] as const)("asks by the strategy of the call: %s", async (strategy, found, near) => {
    const { ports, store } = portsWith();
    expect((await lookup(ports, { ...INPUT, strategy }, context())).outcome).toMatchObject({
      reason: "NOT_FOUND",
    });
    expect(vi.mocked(store.find)).toHaveBeenCalledTimes(found);
    expect(vi.mocked(store.nearest)).toHaveBeenCalledTimes(near);
  });

  it("uses only the exact match without an embedder", async () => {
    const { ports, store } = portsWith({ embedder: undefined });
    expect((await lookup(ports, INPUT, context())).outcome).toMatchObject({ reason: "NOT_FOUND" });
    expect(vi.mocked(store.nearest)).not.toHaveBeenCalled();
  });

  it("misses with TOO_OLD when the exact match is too old and no other is tried", async () => {
    const { ports } = portsWith({ store: { find: async () => ENTRY }, embedder: undefined });
    expect((await lookup(ports, { ...INPUT, maxAgeMs: 4 }, context())).outcome).toMatchObject({
      reason: "TOO_OLD",
    });
    expect((await lookup(ports, { ...INPUT, maxAgeMs: 5 }, context())).outcome).toMatchObject({
      kind: "hit",
    });
  });

  it("in shadow mode misses, counts a miss, and its decision still names what it would have served", async () => {
    const { ports, metrics } = portsWith({ store: { find: async () => ENTRY } });
    const { decisionId, outcome } = await lookup(ports, { ...INPUT, shadow: true }, context());
    expect(outcome).toMatchObject({
      kind: "miss",
      reason: "SHADOW",
      nearestId: ENTRY.id,
      nearestSimilarity: 1,
    });
    expect(openDecision(decisionId, SECRET, NOW).entryId).toBe(ENTRY.id);
    expect(metrics.cacheLookup.mock.calls).toEqual([["miss", "SHADOW"]]);
  });

  it.each<[string, Changes, Partial<LookupCacheInput>, CacheLookup]>([
    ["an exact hit", { store: { find: async () => ENTRY } }, {}, { kind: "EXACT", id: ENTRY.id }],
    [
      "a hit by meaning",
      { store: { nearest: async () => [{ entry: ENTRY, similarity: 0.75 }] } },
      {},
      { kind: "SEMANTIC", id: ENTRY.id },
    ],
    [
      "what a served answer had cost",
      { store: { find: async () => ({ ...ENTRY, usage: USAGE }) } },
      {},
      { kind: "EXACT", id: ENTRY.id, usage: USAGE },
    ],
    ["a miss", {}, {}, { kind: "MISS", reason: "NOT_FOUND" }],
    [
      "a hit that is shadowed",
      { store: { find: async () => ENTRY } },
      { shadow: true },
      { kind: "MISS", reason: "SHADOW" },
    ],
    ["a store that is down", { store: { find: down } }, {}, { kind: "MISS", reason: "STORE_UNAVAILABLE" }],
  ])("has the store count %s", async (_, changes, input, counted) => {
    const { ports, store } = portsWith(changes);
    await lookup(ports, { ...INPUT, ...input }, context());
    const scope = { tenant: "t", namespace: "default" };
    expect(vi.mocked(store.countLookup).mock.calls).toEqual([[scope, counted, NOW]]);
  });
});

describe("the strictness of the guard", () => {
  const SUBSTITUTED = "How do I reset a forgotten account nickname?";
  const NEAREST = [
    { entry: { ...ENTRY, prompt: SUBSTITUTED, analysis: analyzePrompt(SUBSTITUTED) }, similarity: 0.97 },
  ];
  const asked = { ...INPUT, prompt: "How do I reset a forgotten account password?" };
  const near = (policy: CachePolicy, settings: Partial<CacheSettings> = {}) =>
    portsWith({ store: { nearest: async () => NEAREST, policy }, settings }).ports;
  const outcomeOf = async (ports: LookupCachePorts, input: LookupCacheInput = asked) =>
    (await lookup(ports, input, context())).outcome;

  it("is that of the call, else that of the namespace, else that of the settings", async () => {
    const refused = { kind: "miss", reason: "GUARD", guardReasons: ["SUBSTITUTION"] };
    expect(await outcomeOf(near({}))).toMatchObject({ ...refused, guard: "balanced" });
    expect(await outcomeOf(near({}, { guard: "closed" }))).toMatchObject({ kind: "hit", match: "SEMANTIC" });
    expect(await outcomeOf(near({ guard: "strict" }, { guard: "closed" }))).toMatchObject({
      ...refused,
      guard: "strict",
    });
    // An operator may set a namespace looser than its server.
    expect(await outcomeOf(near({ guard: "off" }))).toMatchObject({ kind: "hit" });
    const strict = { ...asked, guard: "strict" as const };
    expect(await outcomeOf(near({ guard: "off" }), strict)).toMatchObject({ ...refused, guard: "strict" });
    const closed = { ...asked, guard: "closed" as const };
    expect(await outcomeOf(near({ guard: "off" }), closed)).toMatchObject({ kind: "hit" });
  });

  it.each<[string, CachePolicy, Partial<CacheSettings>, object]>([
    ["the settings", {}, {}, { asked: "closed", allowed: "balanced" }],
    ["its namespace", { guard: "strict" }, { guard: "off" }, { asked: "closed", allowed: "strict" }],
  ])(
    "must not be looser than that of %s, also where an entry matches exactly",
    async (_, policy, settings, metadata) => {
      const loose = { ...asked, guard: "closed" as const };
      const refusal = { reason: "GUARD_TOO_LOOSE", detail: { metadata } };
      for (const strategy of ["EXACT", "SEMANTIC", "HYBRID"] as const) {
        const input = { ...loose, strategy };
        const { ports } = portsWith({ store: { find: async () => ENTRY, policy }, settings });
        await expect(lookup(ports, input, context())).rejects.toMatchObject(refusal);
      }
    },
  );

  it("does not apply to an exact match", async () => {
    const { ports } = portsWith({ store: { find: async () => ENTRY }, settings: { guard: "strict" } });
    expect((await lookup(ports, INPUT, context())).outcome).toMatchObject({ kind: "hit", match: "EXACT" });
  });

  it("is unknown, and refused to no call, where the cache is off or the store is down", async () => {
    const loose = { ...asked, guard: "off" as const };
    const off = portsWith({ settings: { enabled: false } }).ports;
    expect(await outcomeOf(off, loose)).toMatchObject({ reason: "DISABLED", guard: undefined });
    const broken = portsWith({ store: { find: down } }).ports;
    expect(await outcomeOf(broken, loose)).toMatchObject({ reason: "STORE_UNAVAILABLE", guard: undefined });
  });

  it("changes between two lookups of one prepared request, whose verdict is cached", async () => {
    const prepared = prepareLookup(asked, context().caller);
    const outcomes: string[] = [];
    for (const guard of ["balanced", "off", "strict", "closed", "balanced"] as const) {
      const call = { signal: new AbortController().signal, arrival: performance.now() };
      const { outcome } = await lookupCache(
        portsWith({
          store: {
            nearest: async () => NEAREST,
            both: async () => ({ exact: undefined, nearest: NEAREST, generation: GENERATION }),
          },
          settings: { guard },
        }).ports,
        prepared,
        call,
      );
      outcomes.push(outcome.kind === "hit" ? "hit" : outcome.reason);
    }
    expect(outcomes).toEqual(["GUARD", "hit", "GUARD", "hit", "GUARD"]);
  });

  it("is reported to the watch for each lookup that has read the policy", async () => {
    const saw = vi.fn();
    const ports = { ...near({ guard: "off" }), guards: { saw } };
    await lookup(ports, { ...asked, strategy: "SEMANTIC" }, context());
    expect(saw.mock.calls).toEqual([[{ tenant: "t", namespace: "default" }, { guard: "off" }]]);
  });
});

describe("an exact match that is due", () => {
  const due: CacheEntry = { ...ENTRY, id: PROMPT_ID, dueTime: NOW };
  const find = async (): Promise<CacheEntry> => due;
  const run = (ports: LookupCachePorts, input = INPUT) => lookup(ports, input, context());
  const claimed = (isFirst: boolean) => vi.fn<FakeStore["claimRefresh"]>(async () => isFirst);

  it("is a miss for the caller that claims its refresh, for a minute", async () => {
    const claimRefresh = claimed(true);
    const { ports, store } = portsWith({ store: { find, claimRefresh } });
    const { outcome } = await run(ports);
    expect(outcome).toMatchObject({
      kind: "miss",
      reason: "REFRESH",
      nearestId: PROMPT_ID,
      nearestSimilarity: 1,
    });
    const namespace = { tenant: "t", namespace: "default" };
    expect(claimRefresh).toHaveBeenCalledExactlyOnceWith(namespace, PROMPT_ID, {
      now: NOW,
      until: NOW + 60_000,
    });
    expect(store.countLookup).toHaveBeenCalledWith(namespace, { kind: "MISS", reason: "REFRESH" }, NOW);
  });

  it("is a stale hit for the others", async () => {
    const { ports } = portsWith({ store: { find, claimRefresh: claimed(false) } });
    expect((await run(ports)).outcome).toMatchObject({
      kind: "hit",
      match: "EXACT",
      entry: due,
      isStale: true,
    });
  });

  it("is no stale hit a moment before, and nothing is claimed", async () => {
    const claimRefresh = claimed(true);
    const early = { ...due, dueTime: NOW + 1 };
    const { ports } = portsWith({ store: { find: async () => early, claimRefresh } });
    expect((await run(ports)).outcome).toMatchObject({ kind: "hit", isStale: false });
    expect(claimRefresh).not.toHaveBeenCalled();
  });

  it("is not claimed in shadow mode, nor for a caller that may not store", async () => {
    const claimRefresh = claimed(true);
    const { ports } = portsWith({ store: { find, claimRefresh } });
    expect((await run(ports, { ...INPUT, shadow: true })).outcome).toMatchObject({ reason: "SHADOW" });
    const { caller, ...call } = context();
    const reading = await lookupCache(ports, prepareLookup(INPUT, caller), { ...call, mayStore: false });
    expect(reading.outcome).toMatchObject({ kind: "hit", isStale: true });
    expect(claimRefresh).not.toHaveBeenCalled();
  });

  it("is served when the claim fails or takes too long, with a log message", async () => {
    for (const claimRefresh of [down, never<boolean>]) {
      const { ports, log } = portsWith({
        store: { find, claimRefresh },
        settings: { lookupDeadlineMs: claimRefresh === down ? 60_000 : 20 },
      });
      expect((await run(ports)).outcome).toMatchObject({ kind: "hit", isStale: true });
      expect(log.warn).toHaveBeenCalledOnce();
    }
  });

  it("is not served by meaning", async () => {
    const near = { ...due, id: "cd".repeat(32) };
    const { ports } = portsWith({ store: { nearest: async () => [{ entry: near, similarity: 0.99 }] } });
    expect((await run(ports)).outcome).toMatchObject({ kind: "miss", reason: "TOO_OLD" });
  });
});
