import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import type { Backend } from "../../src/ports/backend.ts";
import { group, run } from "../contract/compaction/support.ts";
import { NOW, newMemory } from "../support/builders.ts";
import { openBackend, RUN, SCOPE } from "../support/compaction-program.ts";
import { connectTo } from "../support/redis/client.ts";
import { brokenInvariants } from "../support/redis/invariants.ts";
import { describeRedisPrograms } from "../support/redis/run.ts";
import { type RedisServer, startRedis } from "../support/redis/server.ts";
import { eventually } from "../support/redis/wait.ts";
import { scale, seededInteger } from "../support/scale.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const PROGRAM = join(import.meta.dirname, "..", "support", "compaction-program.ts");
const PREFIX = "compactions:";
const GROUPS = scale(40, 200);

/** A process that applies groups. */
interface Applying {
  /** The groups that it has reported. */
  readonly acknowledged: readonly number[];
  /** Resolves when it has reported so many, or has ended. */
  reached(count: number): Promise<void>;
  kill(): void;
  readonly exited: Promise<void>;
}

function startApplying(place: string, prefix?: string): Applying {
  const args = prefix === undefined ? [place] : [place, prefix];
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const acknowledged: number[] = [];
  let notify = (): void => undefined;
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [word, number] = line.split(" ");
    if (word === "applied") acknowledged.push(Number(number));
    notify();
  });
  const exited = once(child, "close").then(() => undefined);
  return {
    acknowledged,
    reached: (count) =>
      Promise.race([
        exited,
        new Promise<void>((resolve) => {
          notify = () => {
            if (acknowledged.length >= count) resolve();
          };
          notify();
        }),
      ]),
    kill: () => child.kill("SIGKILL"),
    exited,
  };
}

/** Stores the memories and the plan. */
async function prepare({ memories, compactions }: Backend): Promise<void> {
  const ids = Array.from({ length: GROUPS }, (_, at) => [`m${at + 1}`, `s${at + 1}`]).flat();
  for (let at = 0; at < ids.length; at += 50) {
    const items = ids.slice(at, at + 50).map((id) => newMemory({ id }));
    await memories.writer.create(SCOPE, items, { now: NOW });
  }
  await compactions.start(SCOPE, run({ id: RUN, groups: GROUPS }), { now: NOW });
  const lease = await compactions.claim(SCOPE, RUN, { owner: "plan", now: NOW, until: NOW });
  if (lease === undefined) throw new Error("the run is not free");
  const groups = Array.from({ length: GROUPS }, (_, at) => group(at + 1));
  const planned = run({ id: RUN, groups: GROUPS, state: "APPLYING" });
  await compactions.write(SCOPE, lease, { run: planned, version: 1, groups }, { now: NOW });
}

/** The groups that are applied. Each is applied with all of its changes, or with none. */
async function appliedGroups({ memories, compactions }: Backend): Promise<number[]> {
  const groups = await compactions.groups(SCOPE, RUN, { after: 0, limit: 1000, maxBytes: 1e9 });
  expect(groups).toHaveLength(GROUPS);
  const applied: number[] = [];
  for (const { number, state } of groups) {
    const ids = ["m", "s", "c"].map((letter) => `${letter}${number}`);
    const [member, survivor, created] = await memories.reader.get(SCOPE, ids, Date.now());
    const seen = [state, member?.state, member?.supersededBy, survivor?.state, survivor?.tags, created?.id];
    expect(seen).toEqual(
      state === "APPLIED"
        ? ["APPLIED", "SUPERSEDED", `s${number}`, "ACTIVE", ["merged"], `c${number}`]
        : ["PLANNED", "ACTIVE", "", "ACTIVE", [], undefined],
    );
    if (state === "APPLIED") applied.push(number);
  }
  expect((await compactions.get(SCOPE, RUN))?.run.doneGroups).toBe(applied.length);
  return applied;
}

/** Kills processes until all groups are applied; `kill` resolves when the store can be opened again. */
async function killUntilDone(
  args: readonly [place: string, prefix?: string],
  kill: (applying: Applying, round: number) => Promise<void>,
): Promise<number> {
  const next = seededInteger(22);
  const acknowledged = new Set<number>();
  let kills = 0;
  for (let applied: readonly number[] = []; applied.length < GROUPS; kills += 1) {
    expect(kills).toBeLessThan(GROUPS);
    const applying = startApplying(...args);
    await applying.reached(1 + next(GROUPS / 2));
    await kill(applying, kills);
    await applying.exited;
    for (const number of applying.acknowledged) {
      expect([number, acknowledged.has(number)]).toEqual([number, false]);
      acknowledged.add(number);
    }
    await using backend = await openBackend(...args);
    applied = await appliedGroups(backend);
    for (const number of acknowledged) expect(applied).toContain(number);
  }
  return kills;
}

describe("a compaction whose process is killed, on the embedded store", () => {
  it("applies each group once, with all of its changes or none", async () => {
    await using folder = await temporaryFolder({});
    await (async () => {
      await using backend = await openBackend(folder.path);
      await prepare(backend);
    })();
    const kills = await killUntilDone([folder.path], async (applying) => applying.kill());
    expect(kills).toBeGreaterThan(1);
  });
});

await describeRedisPrograms("a compaction whose process or Redis is killed", () => {
  it("applies each group once, with all of its changes or none", async () => {
    await using redis = await startRedis();
    await (async () => {
      await using backend = await openBackend(redis.url, PREFIX);
      await prepare(backend);
    })();
    const kills = await killUntilDone([redis.url, PREFIX], async (applying, round) => {
      if (round % 2 === 1) {
        await redis.kill();
        applying.kill();
        await redis.restart();
      } else {
        applying.kill();
        await untilAlone(redis);
      }
      expect(await brokenInvariants(redis.url, PREFIX)).toEqual([]);
    });
    expect(kills).toBeGreaterThan(1);
  });
});

/** Resolves when Redis has processed the last command of a killed process. */
async function untilAlone({ url }: RedisServer): Promise<void> {
  using admin = connectTo(url);
  await eventually("an end of the other connections", async () => {
    return !String(await admin.client("LIST")).includes("name=recollect ");
  });
}
