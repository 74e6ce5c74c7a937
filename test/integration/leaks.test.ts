import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { expectNoLeaks, expectNoOpenFiles, watchLeaks } from "../support/leaks.ts";
import { startApp } from "../support/start-app.ts";

describe("leak detection", () => {
  it("finds no timer, handle, connection, stream or file after the start and stop of a server", async () => {
    const entries = await expectNoLeaks(async () => {
      await using app = await startApp();
      await app.memory.createMemory({ memory: { text: "here and gone" } });
      const prompt = { prompt: { case: "text" as const, value: "q" } };
      await app.cache.storeCacheEntry({
        prompt,
        origin: { case: "scope", value: { model: "m" } },
        response: "a",
      });
      await app.cache.lookupCache({ prompt, scope: { model: "m" } });
      await fetch(`${app.httpUrl}/health`, { headers: { connection: "close" } }).then((reply) =>
        reply.text(),
      );
      return (await app.cache.listCacheEntries({})).entries.length;
    });
    expect(entries).toBe(1);
  });

  it("reports a leaked handle after the last server has stopped, and not before", async () => {
    const [first, second] = [watchLeaks(), watchLeaks()];
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    await expect(first()).resolves.toBeUndefined();
    await expect(second()).rejects.toThrow("1 TCPServerWrap");
    server.close();
    await once(server, "close");
  });

  it("reports a leaked timer", async () => {
    let timer: NodeJS.Timeout | undefined;
    const leave = async (): Promise<void> => {
      timer = setTimeout(() => undefined, 3_600_000);
    };
    await expect(expectNoLeaks(leave)).rejects.toThrow("1 Timeout");
    clearTimeout(timer);
  });

  it.runIf(process.platform === "linux")("reports a leaked file", () => {
    const directory = mkdtempSync(join(tmpdir(), "recollect-leaks-"));
    const file = openSync(join(directory, "left"), "w");
    expect(() => expectNoOpenFiles(directory)).toThrow(/files open: .*left/);
    closeSync(file);
    expect(() => expectNoOpenFiles(directory)).not.toThrow();
    rmSync(directory, { recursive: true });
  });
});
