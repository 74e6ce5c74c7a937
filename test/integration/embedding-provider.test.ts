import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RetryInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import {
  type LookupCacheResponse,
  LookupCacheResponse_Miss_Reason as MissReason,
} from "#gen/recollect/v1/cache_pb.js";
import {
  SearchMemoriesResponse_Degradation as Degradation,
  Memory_Embedding_State as EmbeddingState,
  type Memory,
  SearchMemoriesRequest_Mode as Mode,
} from "#gen/recollect/v1/memory_pb.js";
import { GetEmbeddingInfoResponse_Breaker_State as BreakerState } from "#gen/recollect/v1/operations_pb.js";
import type { Config } from "../../src/config/config.ts";
import { refusalOf, toRefusal } from "../support/errors.ts";
import { expectClosed, expectNoLeaks } from "../support/leaks.ts";
import { manualSleep } from "../support/manual-sleep.ts";
import { type Behaviour, type OpenAiServer, startOpenAiServer } from "../support/openai-server.ts";
import { startApp, type TestApp, type TestAppOptions } from "../support/start-app.ts";

const START = Date.UTC(2026, 0, 1);

let server: OpenAiServer;
let now: number;
beforeEach(async () => {
  now = START;
  server = await startOpenAiServer();
});
afterEach(() => server[Symbol.asyncDispose]());

/**
 * A server with the provider above; without retries, because their delays would be real, and with a queue that retries
 * only after an event.
 */
function start(
  options: TestAppOptions & {
    readonly apiBase?: string;
    readonly timeouts?: { write: number; lookup: number };
  } = {},
): Promise<TestApp> {
  const { apiBase = server.apiBase, timeouts = { write: 30_000, lookup: 30_000 } } = options;
  return startApp({
    ...options,
    env: {
      EMBEDDING_PROVIDER: "openai",
      EMBEDDING_API_BASE: apiBase,
      EMBEDDING_API_KEY: "your-openai-api-key",
      EMBEDDING_MODEL: "a-model",
      VECTOR_DIM: "384",
      ...options.env,
    },
    overrides: { clock: { now: () => now }, sleep: manualSleep().sleep },
    configure: (config: Config) => ({
      ...config,
      embedding: { ...config.embedding, maxRetries: 0, timeoutMs: timeouts.write },
      cache: { ...config.cache, lookupDeadlineMs: timeouts.lookup },
    }),
  });
}

const remember = (app: TestApp, text: string) => app.memory.createMemory({ memory: { text } });
const stateOf = ({ memory }: { readonly memory?: Memory | undefined }) =>
  EmbeddingState[memory?.embedding?.state ?? 0];
const search = (app: TestApp, text: string, mode = Mode.HYBRID) =>
  app.memory.searchMemories({ query: { by: { case: "text", value: text } }, mode });
const lookUp = (app: TestApp, text: string) =>
  app.cache.lookupCache({ prompt: { prompt: { case: "text", value: text } }, scope: { model: "m" } });
const store = (app: TestApp, text: string) =>
  app.cache.storeCacheEntry({
    prompt: { prompt: { case: "text", value: text } },
    origin: { case: "scope", value: { model: "m" } },
    response: "an answer",
  });
const missOf = ({ outcome }: LookupCacheResponse) =>
  outcome.case === "miss" ? MissReason[outcome.value.reason] : outcome.case;
const readiness = async (app: TestApp) => {
  const response = await fetch(`${app.httpUrl}/ready`);
  return { status: response.status, body: (await response.json()) as { warnings: string[] } };
};
const metrics = async (app: TestApp) => (await fetch(`${app.httpUrl}/metrics`)).text();

/** Observed failures of providers, and the status of calls that need a vector. */
const FAILURES: readonly (readonly [string, Behaviour, { code: string; reason: string; cause: string }])[] = [
  ["401", { kind: "status", status: 401 }, misconfigured("key_refused")],
  ["403", { kind: "status", status: 403 }, misconfigured("key_refused")],
  ["404", { kind: "status", status: 404 }, misconfigured("misconfigured")],
  ["429", { kind: "status", status: 429, headers: { "retry-after": "2" } }, unavailable("rate_limited")],
  ["500", { kind: "status", status: 500 }, unavailable("server_error")],
  ["a closed socket", { kind: "close the socket" }, unavailable("connection")],
  ["truncated JSON", { kind: "truncated JSON" }, unavailable("malformed")],
  ["a page of HTML", { kind: "HTML" }, unavailable("malformed")],
  ["NaN", { kind: "NaN" }, unavailable("malformed")],
  ["zeros", { kind: "zeros" }, unavailable("malformed")],
  ["the wrong dimension", { kind: "wrong dimension" }, misconfigured("misconfigured")],
  ["one vector too many", { kind: "one too many" }, unavailable("malformed")],
  ["half a batch", { kind: "half a batch" }, unavailable("malformed")],
  [
    "400",
    { kind: "status", status: 400 },
    { code: "InvalidArgument", reason: "EMBEDDER_REFUSED_TEXT", cause: "input_refused" },
  ],
];

function unavailable(cause: string) {
  return { code: "Unavailable", reason: "EMBEDDER_UNAVAILABLE", cause };
}

function misconfigured(cause: string) {
  return { code: "FailedPrecondition", reason: "EMBEDDER_MISCONFIGURED", cause };
}

describe("an embedding provider that answers", () => {
  it("serves the whole API, with one request for a batch and none for a cached text", async () => {
    await using app = await start();
    const texts = ["Ann is allergic to peanuts", "The meeting is on Monday"];
    const { results } = await app.memory.batchCreateMemories({ memories: texts.map((text) => ({ text })) });
    expect(results.map(({ outcome }) => outcome.case)).toEqual(["memory", "memory"]);
    expect(results[0]?.outcome.value).toMatchObject({
      embedding: { provider: "openai", model: "a-model", dimension: 384, truncated: false },
    });
    expect(server.received.map((one) => one.texts)).toEqual([texts]);
    await search(app, "Ann is allergic to peanuts", Mode.VECTOR);
    await store(app, "What is Ann allergic to?");
    await lookUp(app, "What is Ann allergic to, please?");
    expect(server.received).toHaveLength(3);
    await remember(app, "Ann is allergic to peanuts");
    await lookUp(app, "What is Ann allergic to, please?");
    expect(server.received).toHaveLength(3);

    const page = await metrics(app);
    for (const line of [
      /^recollect_embedding_request_duration_seconds_count\{outcome="ok"\} 3$/m,
      /^recollect_embedding_tokens_total [1-9]/m,
      /^recollect_embedding_cache_lookups_total\{outcome="memory"\} [1-9]/m,
      /^recollect_embedding_cache_hit_rate 0\.[1-9]/m,
      /^recollect_embedding_breaker_state\{urgency="write"\} 0$/m,
      /^recollect_embedding_breaker_state\{urgency="lookup"\} 0$/m,
    ]) {
      expect(page).toMatch(line);
    }
  });

  it("gets no second request for the same text after a restart", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "recollect-embeddings-"));
    try {
      {
        await using first = await start({ dataDir });
        await remember(first, "Ann is allergic to peanuts");
      }
      await using second = await start({ dataDir });
      await search(second, "Ann is allergic to peanuts", Mode.VECTOR);
      expect(server.received).toHaveLength(1);
      expect(await metrics(second)).toMatch(
        /^recollect_embedding_cache_lookups_total\{outcome="store"\} 1$/m,
      );
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });

  it("embeds the beginning of a text that is too long, marks it, and does not affect its batch", async () => {
    await using picky = await startOpenAiServer({ maxCharacters: 2000 });
    await using app = await start({ apiBase: picky.apiBase });
    const { results } = await app.memory.batchCreateMemories({
      memories: [{ text: "short" }, { text: "word ".repeat(2000) }, { text: "also short" }],
    });
    const truncated = results.map(({ outcome }) =>
      outcome.case === "memory" ? outcome.value.embedding?.truncated : outcome.case,
    );
    expect(truncated).toEqual([false, true, false]);
  });

  it("stores a refused text without a vector, and does not affect its batch or other callers", async () => {
    await using picky = await startOpenAiServer({ refuses: "unspeakable" });
    await using app = await start({ apiBase: picky.apiBase });
    const [good, bad, batch] = await Promise.all([
      remember(app, "fine"),
      remember(app, "something unspeakable"),
      app.memory.batchCreateMemories({
        memories: [{ text: "also fine" }, { text: "unspeakable again" }, { text: "fine too" }],
      }),
    ]);
    expect([stateOf(good), stateOf(bad)]).toEqual(["READY", "REFUSED"]);
    const states = batch.results.map(({ outcome }) =>
      outcome.case === "memory" ? stateOf({ memory: outcome.value }) : outcome.case,
    );
    expect(states).toEqual(["READY", "REFUSED", "READY"]);
    expect((await search(app, "unspeakable", Mode.KEYWORD)).results).toHaveLength(2);
    expect(await refusalOf(search(app, "unspeakable", Mode.VECTOR))).toMatchObject({
      code: "InvalidArgument",
      reason: "EMBEDDER_REFUSED_TEXT",
    });
  });
});

describe("an embedding provider that fails", () => {
  it.each(FAILURES)(
    "with %s: writes succeed, searches fall back to keywords, lookups miss; calls that need a vector get a precise status",
    async (_, behaviour, expected) => {
      server.always(behaviour);
      await using app = await start();
      const written = await remember(app, "Ann is allergic to peanuts");
      expect(stateOf(written)).toBe(expected.cause === "input_refused" ? "REFUSED" : "PENDING");
      expect(await refusalOf(search(app, "peanuts", Mode.VECTOR))).toMatchObject({
        code: expected.code,
        reason: expected.reason,
        metadata: { provider: "openai", cause: expected.cause },
      });
      const found = await search(app, "peanuts");
      expect(found.degraded).toEqual([Degradation.VECTOR_UNAVAILABLE]);
      expect(found.results.map(({ memory }) => memory?.id)).toEqual([written.memory?.id]);
      expect(missOf(await lookUp(app, "peanuts?"))).toBe("EMBEDDER_UNAVAILABLE");
      expect((await store(app, "peanuts?")).entry?.id).toMatch(/./);
      expect((await lookUp(app, "peanuts?")).outcome.case).toBe("hit");
      expect((await readiness(app)).status).toBe(200);
    },
  );

  it.each<Behaviour["kind"]>(["hang", "hang in the body"])("without a response: %s", async (kind) => {
    server.always({ kind } as Behaviour);
    await using app = await start({ timeouts: { write: 20, lookup: 10 } });
    expect((await readiness(app)).status).toBe(200);
    expect(stateOf(await remember(app, "Ann"))).toBe("PENDING");
    expect(await refusalOf(search(app, "Ann", Mode.VECTOR))).toMatchObject({
      code: "Unavailable",
      reason: "EMBEDDER_UNAVAILABLE",
      metadata: { cause: "timeout" },
    });
    // While other test files use all processors, the server may rightly take itself for overloaded.
    await expect
      .poll(async () => missOf(await lookUp(app, "Ann?")), { timeout: 20_000 })
      .toBe("EMBEDDER_UNAVAILABLE");
    expect((await search(app, "Ann")).degraded).toEqual([Degradation.VECTOR_UNAVAILABLE]);
    expect((await readiness(app)).status).toBe(200);
  });

  it("gets no requests while the circuit breaker is open, which is reported, and a probe after the open time", async () => {
    await using app = await start();
    await remember(app, "Ann is allergic to peanuts");
    server.always({ kind: "status", status: 500 });
    for (let call = 0; call < 5; call += 1) await lookUp(app, `question ${call}`);
    const asked = server.received.length;
    expect(missOf(await lookUp(app, "one more"))).toBe("EMBEDDER_UNAVAILABLE");
    const found = await search(app, "what about peanuts");
    expect(found.degraded).toEqual([Degradation.VECTOR_UNAVAILABLE]);
    expect(found.results[0]?.memory?.text).toBe("Ann is allergic to peanuts");
    expect(await refusalOf(search(app, "another", Mode.VECTOR))).toMatchObject({
      reason: "EMBEDDER_UNAVAILABLE",
      metadata: { cause: "breaker_open" },
    });
    expect(stateOf(await remember(app, "another"))).toBe("PENDING");
    expect(server.received).toHaveLength(asked);
    const ready = await readiness(app);
    expect(ready.status).toBe(200);
    expect(ready.body.warnings.join()).toMatch(/write: OPEN since .*server_error.*lookup: OPEN/);
    expect(await metrics(app)).toMatch(/^recollect_embedding_breaker_state\{urgency="write"\} 2$/m);
    expect(await app.operations.getEmbeddingInfo({})).toMatchObject({
      provider: "openai",
      model: "a-model",
      dimension: 384,
      pendingCount: 1,
      writeBreaker: {
        state: BreakerState.OPEN,
        sinceTime: timestampFromMs(START),
        lastFailure: "server_error",
      },
      lookupBreaker: { state: BreakerState.OPEN, lastFailure: "server_error" },
    });

    server.always({ kind: "answer" });
    now += 5000;
    expect(stateOf(await remember(app, "yet another"))).toBe("READY");
    expect((await search(app, "another")).degraded).toEqual([]);
    expect((await app.operations.getEmbeddingInfo({})).writeBreaker).toMatchObject({
      state: BreakerState.CLOSED,
      sinceTime: timestampFromMs(now),
      lastFailure: "",
    });
    expect((await readiness(app)).body.warnings.join()).not.toMatch(/OPEN/);
    expect(await metrics(app)).toMatch(/^recollect_embedding_breaker_state\{urgency="write"\} 0$/m);
  });

  it("and has a full queue: writes succeed as pending, calls that need a vector are refused as retryable", async () => {
    server.always({ kind: "hang" });
    await using app = await start();
    const leaving = new AbortController();
    const writes: Promise<unknown>[] = [];
    const write = (texts: number): void => {
      const memories = Array.from({ length: texts }, () => ({ text: "the same, over and over" }));
      // Their outcomes are irrelevant here.
      writes.push(
        Promise.allSettled([app.memory.batchCreateMemories({ memories }, { signal: leaving.signal })]),
      );
    };
    // Fills the queue. A search that is queued waits until its deadline; so single texts follow, for slots that are too few
    // for a batch. While the server prepares so many texts, a search may be refused earlier.
    for (let batch = 0; batch < 50; batch += 1) write(200);
    const query = { by: { case: "text", value: "anything" } } as const;
    let error: ConnectError;
    for (;;) {
      error = await app.memory
        .searchMemories({ query, mode: Mode.VECTOR }, { timeoutMs: 1000 })
        .then(() => expect.unreachable(), ConnectError.from);
      if (error.code !== Code.DeadlineExceeded && toRefusal(error).reason !== "SERVER_OVERLOADED") break;
      for (let single = 0; single < 200; single += 1) write(1);
    }
    expect(toRefusal(error)).toMatchObject({
      code: "ResourceExhausted",
      reason: "EMBEDDER_OVERLOADED",
      metadata: { provider: "openai", cause: "overloaded" },
    });
    expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay).toEqual(durationFromMs(1000));
    expect(stateOf(await remember(app, "one more"))).toBe("PENDING");
    expect((await search(app, "one more")).degraded).toEqual([Degradation.VECTOR_UNAVAILABLE]);
    leaving.abort();
    await Promise.all(writes);
    server.always({ kind: "answer" });
    let answer: readonly Degradation[] | string | undefined;
    do {
      answer = await search(app, "one more", Mode.VECTOR).then(
        ({ degraded }) => degraded,
        (reason: unknown) => toRefusal(reason).reason,
      );
    } while (answer === "EMBEDDER_OVERLOADED");
    expect(answer).toEqual([]);
  });

  it("because of the guide's placeholder key gets one request a minute, and other calls work", async () => {
    server.always({ kind: "status", status: 401 });
    await using app = await start();
    expect((await readiness(app)).status).toBe(200);
    for (const text of ["one", "two", "three"]) {
      expect(stateOf(await remember(app, text))).toBe("PENDING");
      expect(await refusalOf(search(app, text, Mode.VECTOR))).toMatchObject({
        reason: "EMBEDDER_MISCONFIGURED",
      });
      expect(missOf(await lookUp(app, text))).toBe("EMBEDDER_UNAVAILABLE");
    }
    expect(server.received).toHaveLength(1);
    now += 60_000;
    server.always({ kind: "answer" });
    expect(stateOf(await remember(app, "four"))).toBe("READY");
  });

  it("and is unreachable does not prevent start or readiness", async () => {
    await using app = await start({ apiBase: "http://127.0.0.1:1/v1" });
    expect((await readiness(app)).status).toBe(200);
    expect(missOf(await lookUp(app, "anyone?"))).toBe("EMBEDDER_UNAVAILABLE");
  });

  it("leaves nothing open when the server stops, not even a hanging request", async () => {
    await expectNoLeaks(async () => {
      await using own = await startOpenAiServer();
      own.next({ kind: "answer" }, { kind: "hang" });
      const app = await start({ apiBase: own.apiBase, timeouts: { write: 30_000, lookup: 30_000 } });
      await remember(app, "Ann");
      const controller = new AbortController();
      const leaving = app.memory.createMemory({ memory: { text: "Bea" } }, { signal: controller.signal });
      await own.requests(2);
      controller.abort();
      await expect(leaving).rejects.toThrow();
      await app[Symbol.asyncDispose]();
      await expectClosed(own.port);
    });
  });
});
