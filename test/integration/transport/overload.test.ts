import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  LookupCacheResponse_Hit_Match as Match,
  LookupCacheResponse_Miss_Reason as MissReason,
} from "#gen/recollect/v1/cache_pb.js";
import { SearchMemoriesRequestSchema } from "#gen/recollect/v1/memory_pb.js";
import { testKey } from "../../support/api-keys.ts";
import { refusalOf } from "../../support/errors.ts";
import { type GatedSearches, gatedSearches } from "../../support/gated-searches.ts";
import { frame, RawHttp2 } from "../../support/raw-http2.ts";
import { startApp, type TestApp, type TestAppOptions } from "../../support/start-app.ts";

/** Maximum of running searches; see work-queue.ts. */
const AT_ONCE = 8;
/** Maximum of queued searches in this test. */
const WAITING = 2;

const QUERY = { query: { by: { case: "text", value: "tea" } } } as const;
const SCOPE = { model: "m" };
const prompt = (value: string) => ({ prompt: { case: "text", value } }) as const;

function startGated(searches: GatedSearches, options: TestAppOptions = {}): Promise<TestApp> {
  return startApp({
    overrides: { backend: searches.backend },
    configure: (config) => ({ ...config, limits: { ...config.limits, maxWaitingWork: WAITING } }),
    ...options,
  });
}

/** Starts searches one after the other, until the maximum is running. */
async function fill(
  app: TestApp,
  searches: GatedSearches,
  headers?: Record<string, string>,
): Promise<Promise<unknown>[]> {
  const running: Promise<unknown>[] = [];
  for (let at = 1; at <= AT_ONCE; at += 1) {
    running.push(app.memory.searchMemories(QUERY, { ...(headers === undefined ? {} : { headers }) }));
    await searches.entered(at);
  }
  return running;
}

const SEARCH = "/recollect.v1.MemoryService/SearchMemories";

function searchRequest(): Buffer {
  return frame(toBinary(SearchMemoriesRequestSchema, create(SearchMemoriesRequestSchema, QUERY)));
}

async function metric(app: TestApp, name: string): Promise<number> {
  const text = await (await fetch(`${app.httpUrl}/metrics`, { headers: { connection: "close" } })).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1] ?? 0);
}

/** Polls until the metric has this value. */
async function until(app: TestApp, name: string, value: number): Promise<void> {
  while ((await metric(app, name)) !== value);
}

describe("overload", () => {
  it("refuses a call whose queueing time would be too long, with its reason and RetryInfo", async () => {
    const searches = gatedSearches();
    await using app = await startGated(searches);
    const running = await fill(app, searches);
    const later = Array.from({ length: WAITING + 1 }, () => app.memory.searchMemories(QUERY));
    // The other searches stay blocked.
    const refusal = await refusalOf(Promise.race(later));
    expect(refusal).toMatchObject({ code: "ResourceExhausted", reason: "SERVER_OVERLOADED" });
    expect(Number(refusal.metadata["estimated_wait_ms"])).toBeGreaterThanOrEqual(0);
    await using raw = new RawHttp2(app.grpcAddress);
    expect(await raw.call(SEARCH, searchRequest(), { "grpc-timeout": "30S" })).toMatchObject({
      httpStatus: 200,
      code: 8,
      reason: "SERVER_OVERLOADED",
      retryAfter: true,
    });
    expect(
      await metric(app, `recollect_call_errors_total\\{reason="SERVER_OVERLOADED",transport="grpc"\\}`),
    ).toBe(2);
    const overHttp = await fetch(`${app.httpUrl}/recollect.v1.MemoryService/SearchMemories`, {
      method: "POST",
      headers: { "content-type": "application/json", connection: "close" },
      body: '{"query": {"text": "tea"}}',
    });
    const { details } = (await overHttp.json()) as { details: { type: string; debug?: object }[] };
    expect(overHttp.status).toBe(429);
    expect(details.map(({ type }) => type)).toEqual(["google.rpc.ErrorInfo", "google.rpc.RetryInfo"]);

    // Cheap calls are served.
    expect((await refusalOf(app.memory.getMemory({ id: "none" }))).reason).toBe("MEMORY_NOT_FOUND");
    expect((await fetch(`${app.httpUrl}/health`, { headers: { connection: "close" } })).status).toBe(200);

    searches.release();
    const ends = await Promise.allSettled([...running, ...later]);
    expect(ends.filter(({ status }) => status === "rejected")).toHaveLength(1);
    expect(searches.tenants).toHaveLength(AT_ONCE + WAITING);
    expect((await app.memory.searchMemories(QUERY)).results).toEqual([]);
  });

  it("drops the queued work of a finished call, and counts it", async () => {
    const searches = gatedSearches();
    await using app = await startGated(searches);
    const running = await fill(app, searches);
    const caller = new AbortController();
    const call = refusalOf(app.memory.searchMemories(QUERY, { signal: caller.signal }));
    await until(app, "recollect_work_waiting", 1);
    caller.abort();
    expect((await call).code).toBe("Canceled");
    await until(app, "recollect_work_dropped_total", 1);
    expect(await metric(app, "recollect_work_waiting")).toBe(0);
    searches.release();
    await Promise.all(running);
    expect(searches.tenants).toHaveLength(AT_ONCE);
    // Counted by the reason, not as a server error.
    expect(
      await metric(app, 'recollect_call_errors_total\\{reason="CALL_CANCELLED",transport="grpc"\\}'),
    ).toBe(1);
  });

  it("serves lookups with exact hits, and with a SERVER_OVERLOADED miss instead of a semantic search", async () => {
    const searches = gatedSearches();
    await using app = await startGated(searches);
    const origin = { case: "scope", value: SCOPE } as const;
    await app.cache.storeCacheEntry({ prompt: prompt("How do I brew tea?"), origin, response: "Hot." });
    const running = await fill(app, searches);
    const later = Array.from({ length: WAITING }, () => app.memory.searchMemories(QUERY));
    await until(app, "recollect_work_waiting", WAITING);

    const exact = await app.cache.lookupCache({ prompt: prompt("How do I brew tea?"), scope: SCOPE });
    expect(exact.outcome).toMatchObject({ case: "hit", value: { match: Match.EXACT } });
    const reworded = { prompt: prompt("Please, how do I brew tea?"), scope: SCOPE };
    expect((await app.cache.lookupCache(reworded)).outcome).toMatchObject({
      case: "miss",
      value: { reason: MissReason.SERVER_OVERLOADED },
    });

    searches.release();
    await Promise.all([...running, ...later]);
    expect((await app.cache.lookupCache(reworded)).outcome).toMatchObject({
      case: "hit",
      value: { match: Match.SEMANTIC },
    });
  });

  it("serves a tenant while another one floods the server", async () => {
    const searches = gatedSearches();
    const [flood, quiet] = [testKey({ tenant: "flood" }), testKey({ tenant: "quiet" })];
    await using app = await startApp({ overrides: { backend: searches.backend }, apiKeys: [flood, quiet] });
    const headers = { authorization: `Bearer ${flood.key}` };
    const running = await fill(app, searches, headers);
    const later = Array.from({ length: 30 }, () => app.memory.searchMemories(QUERY, { headers }));
    await until(app, "recollect_work_waiting", 30);
    const other = app.memory.searchMemories(QUERY, { headers: { authorization: `Bearer ${quiet.key}` } });
    await until(app, "recollect_work_waiting", 31);
    // An unauthorized caller gets that error, not the overload.
    expect((await refusalOf(app.memory.searchMemories(QUERY))).reason).toBe("CREDENTIAL_INVALID");
    searches.release();
    await Promise.all([...running, ...later, other]);
    expect(searches.tenants.indexOf("quiet") - AT_ONCE).toBeLessThan(2);
  });
});
