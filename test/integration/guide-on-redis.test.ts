import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startOpenAiServer } from "../support/openai-server.ts";
import { removeAll } from "../support/redis/backend.ts";
import { describeSharedRedis } from "../support/redis/run.ts";
import { startProcess } from "../support/start-process.ts";

const GUIDE = join(import.meta.dirname, "..", "support", "guide");

await describeSharedRedis("the deployment guide's files on Redis", ({ url }) => {
  it("start the service, which stores and finds a memory and a cache entry, also after a crash", async () => {
    const name = `test-${randomBytes(8).toString("hex")}`;
    await using provider = await startOpenAiServer({ dimension: 1536 });
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => removeAll(url, name));
    const { hostname, port } = new URL(url);
    const files = {
      ".env": await readFile(join(GUIDE, "guide.env"), "utf8"),
      "config/memory_config.yaml": await readFile(join(GUIDE, "memory_config.yaml"), "utf8"),
    };
    // Overrides of the test: a key prefix on the shared server, and a fake embedding provider.
    const env = {
      REDIS_HOST: hostname === "127.0.0.1" ? "localhost" : hostname,
      REDIS_PORT: port,
      REDIS_PREFIX: `${name}:`,
      VECTOR_INDEX_NAME: `${name}:memories`,
      EMBEDDING_API_BASE: provider.apiBase,
    };
    {
      await using server = await startProcess(env, { files });
      const line = JSON.parse(await server.lineWith('"serving"')) as Record<string, string>;
      expect(line).toMatchObject({ environment: "production", backend: "redis" });
      expect(await server.lineWith("Redis opened")).toContain('"topology":"standalone"');
      expect(await server.lineWith("REDIS_POOL_SIZE")).toContain('"pool_size":50');
      const { memory } = await call(line["http"], "MemoryService/CreateMemory", {
        memory: { text: "Ana is allergic to nuts", userId: "ana" },
      });
      expect(memory).toMatchObject({ embedding: { state: "STATE_READY", dimension: 1536 } });
      await expectFound(line["http"]);
      const stored = { prompt: { text: "q" }, scope: { model: "m" }, response: "a" };
      await call(line["http"], "CacheService/StoreCacheEntry", stored);
      expect(server.stdout()).not.toMatch(/your-openai-api-key|your-redis-password/);
      server.process.kill("SIGKILL");
      await server.exited;
    }
    await using again = await startProcess(env, { files });
    const { http } = JSON.parse(await again.lineWith('"serving"')) as Record<string, string>;
    await expectFound(http);
    const lookup = await call(http, "CacheService/LookupCache", {
      prompt: { text: "q" },
      scope: { model: "m" },
    });
    expect(lookup).toMatchObject({ hit: { entry: { response: "a" } } });
  });
});

async function expectFound(http: string | undefined): Promise<void> {
  const { results } = await call(http, "MemoryService/SearchMemories", {
    query: { text: "what is Ana allergic to?" },
    filter: { userId: "ana" },
  });
  expect(results).toMatchObject([{ memory: { text: "Ana is allergic to nuts" } }]);
}

async function call(
  http: string | undefined,
  method: string,
  request: object,
): Promise<Record<string, unknown>> {
  const response = await fetch(`http://${http}/recollect.v1.${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });
  return (await response.json()) as Record<string, unknown>;
}
