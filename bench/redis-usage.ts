import type { Redis } from "ioredis";
import { cpuMicros } from "./proc.ts";
import { median } from "./statistics.ts";

/** Cumulative usage of Redis since its start. */
export interface RedisUsage {
  /** Processor time of all its threads, in microseconds. */
  readonly cpuMicros: number;
  readonly commands: ReadonlyMap<string, { readonly calls: number; readonly micros: number }>;
}

/** Cost of a call in Redis. */
export interface RedisCost {
  readonly cpuMicrosPerCall: number;
  /** Most expensive first; the time of scripts includes their commands, which are also listed. */
  readonly commands: readonly {
    readonly name: string;
    /** Number per call. */
    readonly perCall: number;
    /** Microseconds of the Redis main thread per command. */
    readonly micros: number;
  }[];
}

export async function readUsage(redis: Redis): Promise<RedisUsage> {
  const [server, cpu, stats] = await Promise.all([
    redis.info("server"),
    redis.info("cpu"),
    redis.info("commandstats"),
  ]);
  const seconds = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(cpu)?.[1] ?? 0);
  const isHere = ["127.0.0.1", "localhost", "::1"].includes(redis.options.host ?? "");
  const pid = Number(/^process_id:(\d+)/m.exec(server)?.[1]);
  const rows = [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+),usec=(\d+)/gm)];
  return {
    cpuMicros:
      (isHere ? cpuMicros(pid) : undefined) ??
      (seconds("used_cpu_user") + seconds("used_cpu_sys")) * 1_000_000,
    commands: new Map(
      rows.map(([, name = "", calls, micros]) => [name, { calls: Number(calls), micros: Number(micros) }]),
    ),
  };
}

export function costBetween(before: RedisUsage, after: RedisUsage, calls: number): RedisCost {
  const commands = [...after.commands].flatMap(([name, now]) => {
    const then = before.commands.get(name) ?? { calls: 0, micros: 0 };
    const count = now.calls - then.calls;
    if (name === "info" || count === 0) return [];
    return [{ name, perCall: count / calls, micros: (now.micros - then.micros) / count }];
  });
  return {
    cpuMicrosPerCall: (after.cpuMicros - before.cpuMicros) / calls,
    commands: commands.toSorted((a, b) => b.perCall * b.micros - a.perCall * a.micros),
  };
}

/** The median of the processor times, and the commands of the run in the middle. */
export function medianCost(costs: readonly RedisCost[]): RedisCost {
  const middle = costs.toSorted((a, b) => a.cpuMicrosPerCall - b.cpuMicrosPerCall)[costs.length >>> 1];
  return {
    cpuMicrosPerCall: median(costs.map(({ cpuMicrosPerCall }) => cpuMicrosPerCall)),
    commands: middle?.commands ?? [],
  };
}
