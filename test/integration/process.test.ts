import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startProcess } from "../support/start-process.ts";

interface ServingLine {
  readonly level: string;
  readonly http: string;
  readonly grpc: string;
}

function post(http: string, method: string, body: object): Promise<Response> {
  return fetch(`http://${http}/recollect.v1.${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

describe("recollect serve", () => {
  it("serves, exits with 0 on SIGTERM, and has all data at the next start", async () => {
    await using first = await startProcess();
    const { http } = JSON.parse(await first.lineWith('"serving"')) as ServingLine;
    const stored = await post(http, "MemoryService/CreateMemory", { memory: { id: "m1", text: "kept" } });
    expect(stored.status).toBe(200);
    first.process.kill("SIGTERM");
    expect(await first.exited).toBe(0);

    await using second = await startProcess({ DATA_DIR: join(first.directory, "data") });
    const again = JSON.parse(await second.lineWith('"serving"')) as ServingLine;
    const found = await post(again.http, "MemoryService/GetMemory", { id: "m1" });
    expect(await found.json()).toMatchObject({ memory: { text: "kept" } });
  });

  it("keeps acknowledged writes when it is killed", async () => {
    await using killed = await startProcess();
    const { http } = JSON.parse(await killed.lineWith('"serving"')) as ServingLine;
    const acknowledged: string[] = [];
    const writes = Array.from({ length: 40 }, async (_, index) => {
      const memory = { id: `m${index}`, text: `memory ${index}` };
      const response = await post(http, "MemoryService/CreateMemory", { memory });
      if (response.ok) acknowledged.push(memory.id);
      if (acknowledged.length === 20) killed.process.kill("SIGKILL");
    });
    await Promise.allSettled(writes);
    await killed.exited;
    expect(acknowledged.length).toBeGreaterThanOrEqual(20);

    await using next = await startProcess({ DATA_DIR: join(killed.directory, "data") });
    const again = JSON.parse(await next.lineWith('"serving"')) as ServingLine;
    for (const id of acknowledged) {
      expect((await post(again.http, "MemoryService/GetMemory", { id })).status).toBe(200);
    }
  });

  it("logs calls with their latency and upper-case levels, also to a file, and no text of a memory", async () => {
    await using server = await startProcess({ LOG_FILE: "logs/app.log", LOG_LEVEL: "Warning" });
    await server.lineWith('"WARN"');
    server.process.kill("SIGTERM");
    await server.exited;

    await using chatty = await startProcess({ LOG_FILE: "logs/app.log", LOG_LEVEL: "INFO" });
    const { http } = JSON.parse(await chatty.lineWith('"serving"')) as ServingLine;
    const secret = "xyzzy-private-text";
    await post(http, "MemoryService/CreateMemory", { memory: { text: secret, author: secret } });
    await post(http, "MemoryService/SearchMemories", { query: { text: secret } });
    await post(http, "MemoryService/CreateMemory", { memory: { text: secret, importance: 7 } });
    await post(http, "CacheService/LookupCache", { prompt: { text: secret }, scope: { model: "m" } });
    await post(http, "CacheService/StoreCacheEntry", {
      prompt: { text: secret },
      scope: { model: "m", systemPrompt: secret },
      response: secret,
    });
    const line = JSON.parse(await chatty.lineWith("StoreCacheEntry")) as { level: string; msg: string };
    expect(line.level).toBe("INFO");
    expect(line.msg).toMatch(/Latency: \d+\.\d+ ms/);
    chatty.process.kill("SIGTERM");
    expect(await chatty.exited).toBe(0);
    const file = await readFile(join(chatty.directory, "logs", "app.log"), "utf8");
    expect(file).toBe(chatty.stdout());
    expect(file.match(/Latency: /g)).toHaveLength(5);
    expect(file).not.toContain(secret);
  });

  it.runIf(process.platform === "linux")(
    "continues when its log cannot be written, and reports it once",
    async () => {
      await using server = await startProcess({ LOG_FILE: "/dev/full" });
      const { http } = JSON.parse(await server.lineWith('"serving"')) as ServingLine;
      for (let call = 0; call < 5; call += 1) {
        expect((await post(http, "MemoryService/ListMemories", {})).status).toBe(200);
      }
      server.process.kill("SIGTERM");
      expect(await server.exited).toBe(0);
      expect(server.stderr().trim().split("\n")).toEqual([expect.stringContaining("/dev/full")]);
    },
  );

  it("refuses an invalid configuration with all errors at once", async () => {
    await using server = await startProcess({
      GRPC_PORT: "many",
      CACHE_SIMILARITY_THRESHOLD: "1.5",
      AUTH_MODE: "maybe",
    });
    expect(await server.exited).toBe(2);
    for (const name of ["GRPC_PORT", "CACHE_SIMILARITY_THRESHOLD", "AUTH_MODE"]) {
      expect(server.stderr()).toContain(name);
    }
    expect(server.stdout()).toBe("");
  });

  it("refuses to bind public addresses without authentication", async () => {
    await using server = await startProcess({ GRPC_HOST: "0.0.0.0" });
    expect(await server.exited).toBe(2);
    expect(server.stderr()).toContain("ALLOW_UNAUTHENTICATED");
    await using meant = await startProcess({ GRPC_HOST: "0.0.0.0", ALLOW_UNAUTHENTICATED: "true" });
    expect(await meant.lineWith("AUTH_MODE=none")).toContain('"WARN"');
  });

  it("reports in one line that a port or the data directory is in use", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => holder.once("listening", resolve));
    const address = holder.address();
    const port = typeof address === "object" && address !== null ? String(address.port) : "";
    await using blocked = await startProcess({ GRPC_PORT: port });
    expect(await blocked.exited).toBe(2);
    expect(blocked.stderr().trim().split("\n")).toEqual([expect.stringContaining("GRPC_PORT")]);
    await using blockedToo = await startProcess({ HTTP_PORT: port });
    expect(await blockedToo.exited).toBe(2);
    expect(blockedToo.stderr().trim().split("\n")).toEqual([expect.stringContaining("HTTP_PORT")]);
    holder.close();

    await using server = await startProcess();
    await server.lineWith('"serving"');
    await using second = await startProcess({ DATA_DIR: join(server.directory, "data") });
    expect(await second.exited).toBe(2);
    expect(second.stderr().trim().split("\n")).toEqual([
      expect.stringContaining("in use by another process"),
    ]);
  });
});
