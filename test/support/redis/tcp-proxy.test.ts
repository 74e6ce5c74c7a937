import { expect, it } from "vitest";
import { connectTo } from "./client.ts";
import { describeRedisPrograms } from "./run.ts";
import { startRedis } from "./server.ts";
import { startTcpProxy } from "./tcp-proxy.ts";
import { eventually } from "./wait.ts";

const urlOf = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  `redis://${host}:${port}`;

await describeRedisPrograms("a proxy before Redis", () => {
  it("passes commands and replies of any size", async () => {
    await using server = await startRedis();
    await using proxy = await startTcpProxy(server);
    using client = connectTo(urlOf(proxy));
    const value = "0123456789".repeat(200_000);
    await client.set("key", value);
    expect((await client.get("key")) === value).toBe(true);
  });

  it("holds all bytes back while it stalls, and forwards them afterwards", async () => {
    await using server = await startRedis();
    await using proxy = await startTcpProxy(server);
    using client = connectTo(urlOf(proxy));
    using direct = connectTo(server.url);
    await client.set("count", 0);
    await proxy.set({ kind: "stall" });
    const counted = Promise.all([client.incr("count"), client.incr("count")]);
    using stalled = connectTo(urlOf(proxy));
    const ponged = stalled.ping();
    await eventually("both connections", async () => proxy.connections === 2);
    expect(await direct.get("count")).toBe("0");
    await proxy.set({ kind: "pass" });
    expect(await counted).toEqual([1, 2]);
    expect(await ponged).toBe("PONG");
  });

  it("delays replies, not commands, and keeps their order", async () => {
    await using server = await startRedis();
    await using proxy = await startTcpProxy(server);
    using client = connectTo(urlOf(proxy));
    using direct = connectTo(server.url);
    await client.set("count", 0);
    await proxy.set({ kind: "delay", ms: 3_600_000 });
    let answered = 0;
    const counted = Promise.all([1, 2].map(async () => [await client.incr("count"), ++answered]));
    await eventually("both commands", async () => (await direct.get("count")) === "2");
    expect(answered).toBe(0);
    await proxy.set({ kind: "pass" });
    expect(await counted).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  it("resets a connection in the middle of a reply", async () => {
    await using server = await startRedis();
    await using proxy = await startTcpProxy(server);
    using client = connectTo(urlOf(proxy));
    await client.set("key", "a value that is longer than that");
    let received = 0;
    client.stream.on("data", (bytes: Buffer) => {
      received += bytes.length;
    });
    await proxy.set({ kind: "cut", afterBytes: 10 });
    await expect(client.get("key")).rejects.toThrow("Connection is closed");
    expect(received).toBe(10);
    await proxy.set({ kind: "pass" });
    using next = connectTo(urlOf(proxy));
    expect(await next.get("key")).toBe("a value that is longer than that");
  });

  it("refuses, and listens on the same port again", async () => {
    await using server = await startRedis();
    await using proxy = await startTcpProxy(server);
    using client = connectTo(urlOf(proxy));
    await client.ping();
    await proxy.set({ kind: "refuse" });
    expect(proxy.connections).toBe(0);
    await expect(client.ping()).rejects.toThrow("Connection is closed");
    using refused = connectTo(urlOf(proxy));
    const errors: string[] = [];
    refused.on("error", (error: Error) => errors.push(error.message));
    await expect(refused.ping()).rejects.toThrow("Connection is closed");
    expect(errors.join()).toContain("ECONNREFUSED");
    await proxy.set({ kind: "pass" });
    using next = connectTo(urlOf(proxy));
    expect(await next.ping()).toBe("PONG");
  });

  it("closes the connection when the server behind it dies", async () => {
    await using server = await startRedis();
    await using proxy = await startTcpProxy(server);
    using client = connectTo(urlOf(proxy));
    await client.ping();
    await server.kill();
    await expect(client.ping()).rejects.toThrow("Connection is closed");
    await server.restart();
    using next = connectTo(urlOf(proxy));
    expect(await next.ping()).toBe("PONG");
  });
});
