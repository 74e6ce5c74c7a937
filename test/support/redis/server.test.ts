import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";
import { createCertificates } from "./certificates.ts";
import { connectTo } from "./client.ts";
import { describeRedisPrograms, describeSharedRedis, programsOfThisRun } from "./run.ts";
import { type RedisServer, startRedis } from "./server.ts";
import { eventually } from "./wait.ts";

await describeSharedRedis("the shared Redis", ({ url }) => {
  it("has the search module", async () => {
    using redis = connectTo(url);
    const modules = (await redis.call("MODULE", "LIST")) as string[][];
    expect(modules.map((module) => module[1])).toContain("search");
  });
});

await describeRedisPrograms("a Redis of its own", () => {
  it("keeps its data when it is killed and started again", async () => {
    await using server = await startRedis();
    {
      using redis = connectTo(server.url);
      await redis.set("key", "value");
    }
    const { pid } = server;
    await server.kill();
    await server.restart();
    using redis = connectTo(server.url);
    expect(await redis.get("key")).toBe("value");
    expect(await redis.info("server")).toContain(`process_id:${server.pid}`);
    expect(server.pid).not.toBe(pid);
  });

  it("answers nothing while it is paused", async () => {
    await using server = await startRedis();
    using redis = connectTo(server.url);
    await redis.ping();
    let answered = false;
    server.pause();
    const later = redis.ping().then(() => {
      answered = true;
    });
    // Another server of this machine has answered meanwhile.
    await using other = await startRedis();
    using otherRedis = connectTo(other.url);
    await otherRedis.ping();
    expect(answered).toBe(false);
    server.resume();
    await later;
  });

  it("takes lines of configuration and refuses wrong ones with its log", async () => {
    await using server = await startRedis({ config: { maxmemory: "60mb" } });
    using redis = connectTo(server.url);
    expect(await redis.config("GET", "maxmemory")).toEqual(["maxmemory", `${60 * 1024 * 1024}`]);
    await expect(startRedis({ config: { "no-such-setting": "1" } })).rejects.toThrow("no-such-setting");
  });

  it("enforces its ACL", async () => {
    await using server = await startRedis({
      acl: ["user default off", "user app on >secret ~app:* +get +set"],
    });
    using app = connectTo(server.url, { username: "app", password: "secret", enableReadyCheck: false });
    expect(await app.set("app:key", "value")).toBe("OK");
    await expect(app.get("other:key")).rejects.toThrow("NOPERM");
    using unauthenticated = connectTo(server.url, { enableReadyCheck: false });
    await expect(unauthenticated.get("app:key")).rejects.toThrow("NOAUTH");
  });

  it("requires client certificates of its authority", async () => {
    await using tls = await createCertificates();
    await using server = await startRedis({ tls });
    using authenticated = connectTo(server.url, {
      tls: { ca: tls.ca, cert: tls.client.cert, key: tls.client.key },
    });
    expect(await authenticated.ping()).toBe("PONG");
    using stranger = connectTo(server.url, { tls: { ca: tls.ca } });
    await expect(stranger.ping()).rejects.toThrow();
  });

  it("exits with the process that started it, paused or not, and its directory is removed", async () => {
    const start = `
      import { startRedis } from ${JSON.stringify(new URL("./server.ts", import.meta.url))};
      const server = await startRedis({ programs: JSON.parse(process.argv[1]) });
      server.pause();
      console.log(JSON.stringify({ pid: server.pid, directory: server.directory }));
      process.kill(process.pid, "SIGKILL");
    `;
    const programs = JSON.stringify(await programsOfThisRun());
    const starter = spawn(process.execPath, ["--input-type=module", "-e", start, programs]);
    const { pid, directory } = JSON.parse(await text(starter.stdout)) as Pick<
      RedisServer,
      "pid" | "directory"
    >;
    await eventually("the end of the server", async () => !isAlive(pid));
    await eventually("the end of its directory", async () => !existsSync(directory));
  });

  it("leaves nothing behind", async () => {
    const server = await startRedis();
    expect(existsSync(server.directory)).toBe(true);
    await server[Symbol.asyncDispose]();
    expect(isAlive(server.pid)).toBe(false);
    expect(existsSync(server.directory)).toBe(false);
  });
});

/** Whether this process runs; a zombie does not. */
function isAlive(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
  return stdout.trim() !== "" && !stdout.startsWith("Z");
}
