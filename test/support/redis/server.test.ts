import { access } from "node:fs/promises";
import { expect, it } from "vitest";
import { createCertificates } from "./certificates.ts";
import { connectTo } from "./client.ts";
import { describeRedisPrograms, describeSharedRedis } from "./run.ts";
import { startRedis } from "./server.ts";

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

  it("lets users do what its ACL says", async () => {
    await using server = await startRedis({
      acl: ["user default off", "user app on >secret ~app:* +get +set"],
    });
    using app = connectTo(server.url, { username: "app", password: "secret", enableReadyCheck: false });
    expect(await app.set("app:key", "value")).toBe("OK");
    await expect(app.get("other:key")).rejects.toThrow("NOPERM");
    using nobody = connectTo(server.url, { enableReadyCheck: false });
    await expect(nobody.get("app:key")).rejects.toThrow("NOAUTH");
  });

  it("asks clients for a certificate of its authority", async () => {
    await using tls = await createCertificates();
    await using server = await startRedis({ tls });
    using known = connectTo(server.url, { tls: { ca: tls.ca, cert: tls.client.cert, key: tls.client.key } });
    expect(await known.ping()).toBe("PONG");
    using stranger = connectTo(server.url, { tls: { ca: tls.ca } });
    await expect(stranger.ping()).rejects.toThrow();
  });

  it("leaves nothing behind", async () => {
    const server = await startRedis();
    using redis = connectTo(server.url);
    const [, directory] = (await redis.config("GET", "dir")) as string[];
    await server[Symbol.asyncDispose]();
    expect(() => process.kill(server.pid, 0)).toThrow("ESRCH");
    await expect(access(String(directory))).rejects.toThrow("ENOENT");
  });
});
