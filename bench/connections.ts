/**
 * Measures the gain of more connections to one Redis: `node bench/connections.ts`. HMGET of 2 KB by one process
 * that corks its writes as the service does, with concurrent commands over one to ten connections; medians of five
 * rounds.
 */
import process from "node:process";
import { Redis } from "ioredis";
import { pipelined, sent } from "../src/adapters/redis/connection/pipeline.ts";
import { connectionOptions } from "./contenders/commands.ts";
import { openRedis } from "./redis-server.ts";
import { median, quantile } from "./statistics.ts";

const CONNECTIONS = [1, 2, 4, 10] as const;
const AT_ONCE = [16, 64] as const;
const ROUNDS = 5;
const SECONDS = 1.5;
const ENTRIES = 1000;
const ENTRY_BYTES = 2000;

interface Run {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMicros: number;
}

await using server = await openRedis(undefined);
await pipelined(
  server.redis,
  Array.from({ length: ENTRIES }, (_, at) => [
    "HSET",
    `entry${at}`,
    "version",
    "1",
    "rec",
    "x".repeat(ENTRY_BYTES),
  ]),
);

for (const atOnce of AT_ONCE) {
  const runs = new Map<number, Run[]>();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const connections of CONNECTIONS) {
      runs.set(connections, [...(runs.get(connections) ?? []), await run(connections, atOnce)]);
    }
  }
  for (const [connections, all] of runs) {
    const of = (name: keyof Run): number => median(all.map((one) => one[name]));
    const rates = all.map(({ perSecond }) => Math.round(perSecond));
    process.stdout.write(
      `${atOnce} at once, ${connections} connections: ${Math.round(of("perSecond"))}/s ` +
        `(${Math.min(...rates)} to ${Math.max(...rates)}), p50 ${of("p50Ms").toFixed(2)} ms, ` +
        `p99 ${of("p99Ms").toFixed(2)} ms, ${of("cpuMicros").toFixed(1)} us of this process each\n`,
    );
  }
}

async function run(connections: number, atOnce: number): Promise<Run> {
  const all = await Promise.all(
    Array.from({ length: connections }, async () => {
      const redis = new Redis(server.url, connectionOptions);
      await redis.connect();
      return redis;
    }),
  );
  const durations: number[] = [];
  let asked = 0;
  const cpu = process.cpuUsage();
  const start = performance.now();
  const ask = async (): Promise<void> => {
    for (let begin = start; begin < start + SECONDS * 1000; begin = performance.now()) {
      asked += 1;
      const redis = all[asked % connections];
      if (redis === undefined) throw new TypeError("no connection");
      await sent(redis, ["HMGET", `entry${asked % ENTRIES}`, "version", "rec"]);
      durations.push(performance.now() - begin);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, ask));
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  for (const redis of all) redis.disconnect();
  return {
    perSecond: durations.length / seconds,
    p50Ms: quantile(durations, 0.5),
    p99Ms: quantile(durations, 0.99),
    cpuMicros: (user + system) / durations.length,
  };
}
