import { createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { refusalOf } from "../support/errors.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

describe("the HTTP server", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { HTTP_CORS_ORIGINS: "https://app.example" } });
    await app.memory.createMemory({ memory: { text: "Ana is allergic to nuts" } });
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  function post(path: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
    const type = { "content-type": "application/json" };
    return fetch(`${app.httpUrl}${path}`, { method: "POST", body, headers: { ...type, ...headers } });
  }

  it("answers the API as JSON", async () => {
    const response = await post("/recollect.v1.MemoryService/SearchMemories", '{"query": {"text": "nuts"}}');
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      results: [{ memory: { text: "Ana is allergic to nuts" } }],
    });
  });

  it("answers gRPC-web, with the details of errors", async () => {
    const client = createClient(
      MemoryService,
      createGrpcWebTransport({ baseUrl: app.httpUrl, httpVersion: "1.1" }),
    );
    expect((await client.listMemories({})).memories).toHaveLength(1);
    expect(await refusalOf(client.getMemory({ id: "missing" }))).toMatchObject({
      reason: "MEMORY_NOT_FOUND",
    });
  });

  it.each([
    [
      "broken JSON",
      "/recollect.v1.MemoryService/SearchMemories",
      "{",
      400,
      "invalid_argument",
      "REQUEST_MALFORMED",
    ],
    [
      "a value of a wrong type",
      "/recollect.v1.MemoryService/GetMemory",
      '{"id": 5}',
      400,
      "invalid_argument",
      "REQUEST_MALFORMED",
    ],
    [
      "a rule violation",
      "/recollect.v1.MemoryService/GetMemory",
      "{}",
      400,
      "invalid_argument",
      "REQUEST_INVALID",
    ],
    [
      "an unserved method",
      "/recollect.v1.CacheService/SimulateCache",
      "{}",
      501,
      "unimplemented",
      "METHOD_NOT_SERVED",
    ],
    [
      "nothing there",
      "/recollect.v1.MemoryService/GetMemory",
      '{"id": "x"}',
      404,
      "not_found",
      "MEMORY_NOT_FOUND",
    ],
  ])("refuses %s with the reason", async (_, path, body, status, code, reason) => {
    const response = await post(path, body);
    expect(response.status).toBe(status);
    const error = (await response.json()) as { code: string; details: { type: string; value: string }[] };
    expect(error.code).toBe(code);
    const info = error.details.find(({ type }) => type === "google.rpc.ErrorInfo");
    expect(Buffer.from(info?.value ?? "", "base64").toString()).toContain(reason);
  });

  it("refuses a body over the limit", async () => {
    const body = JSON.stringify({ memory: { text: "x".repeat(17 * 1024 * 1024) } });
    const response = await post("/recollect.v1.MemoryService/CreateMemory", body);
    expect(await response.json()).toMatchObject({ code: "resource_exhausted" });
  });

  it("answers /health and /ready", async () => {
    const health = await fetch(`${app.httpUrl}/health`);
    expect([health.status, await health.json()]).toEqual([200, { status: "alive" }]);
    const ready = await fetch(`${app.httpUrl}/ready`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ status: "ready", checks: { "backend embedded": "ok" } });
  });

  it("has the metrics of existing dashboards from the first scrape on", async () => {
    const text = await (await fetch(`${app.httpUrl}/metrics`)).text();
    for (const name of ["cache_hit_rate", "vector_search_latency_ms", "redis_memory_used_bytes"]) {
      expect(text).toMatch(new RegExp(`^${name}(\\{quantile="0.5"\\})? \\d`, "m"));
    }
    expect(text).toMatch(
      /^rpc_server_call_duration_seconds_count\{[^}]*rpc_method="recollect.v1.MemoryService\/CreateMemory"[^}]*rpc_response_status_code="OK"[^}]*\} \d/m,
    );
  });

  it("allows only configured origins", async () => {
    const preflight = (origin: string): Promise<Response> =>
      fetch(`${app.httpUrl}/recollect.v1.MemoryService/GetMemory`, {
        method: "OPTIONS",
        headers: { origin },
      });
    const allowed = await preflight("https://app.example");
    expect(allowed.headers.get("access-control-allow-origin")).toBe("https://app.example");
    expect(allowed.headers.get("access-control-allow-headers")).toContain("Connect-Protocol-Version");
    const other = await preflight("https://evil.example");
    expect(other.headers.get("access-control-allow-origin")).toBeNull();
  });

  it("answers other paths with METHOD_UNKNOWN", async () => {
    const response = await fetch(`${app.httpUrl}/recollect.v1.Nothing/There`, { method: "POST" });
    expect(response.status).toBe(404);
    const error = (await response.json()) as { code: string; details: { value: string }[] };
    expect(error.code).toBe("unimplemented");
    expect(Buffer.from(error.details[0]?.value ?? "", "base64").toString()).toContain("METHOD_UNKNOWN");
  });

  it("answers METHOD_NOT_SERVED for a stream too", async () => {
    const client = createClient(
      CacheService,
      createGrpcWebTransport({ baseUrl: app.httpUrl, httpVersion: "1.1" }),
    );
    const replay = async (): Promise<void> => {
      for await (const _ of client.replayCacheEntry({ id: "e1" }))
        throw new Error("there is nothing to see yet");
    };
    expect(await refusalOf(replay())).toMatchObject({ code: "Unimplemented", reason: "METHOD_NOT_SERVED" });
  });

  it("distinguishes an unsupported encoding from a method that is not served", async () => {
    const response = await post("/recollect.v1.MemoryService/ListMemories", "{}", {
      "content-encoding": "br",
    });
    const error = (await response.json()) as { details: { value: string }[] };
    expect(Buffer.from(error.details[0]?.value ?? "", "base64").toString()).toContain("REQUEST_MALFORMED");
  });

  it("reads back the largest timestamp", async () => {
    const memory = { text: "for ever", expireTime: "9999-12-31T23:59:59.999999999Z" };
    const stored = await post(
      "/recollect.v1.MemoryService/CreateMemory",
      JSON.stringify({ namespace: "late", memory }),
    );
    expect(await stored.json()).toMatchObject({ memory: { expireTime: "9999-12-31T23:59:59.999Z" } });
  });
});
