import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Memory_Kind as Kind } from "#gen/recollect/v1/memory_pb.js";
import { isOfKill, KilledService } from "../support/killed-service.ts";
import { Mirror } from "../support/mirror.ts";
import { describeRedisPrograms } from "../support/redis/run.ts";
import { startRedis } from "../support/redis/server.ts";
import { eventually } from "../support/redis/wait.ts";
import { scale, seededInteger } from "../support/scale.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const WRITERS = 4;
const KILLS = scale(3, 50);

/** A change that a writer repeats until it is acknowledged, and which is then done once. */
type Step = () => Promise<void>;

/** What the acknowledged changes make of the namespace. */
class Expected {
  readonly memories = new Map<string, string>();
  /** How many changes there were. */
  changes = 0;
}

function nextStep(
  service: KilledService,
  { text, own, expected }: { readonly text: string; readonly own: string[]; readonly expected: Expected },
  next: (limit: number) => number,
): Step {
  const requestId = randomUUID();
  const kind = next(4);
  const [id] = kind < 2 && own.length > 5 ? own.splice(next(own.length), 1) : [];
  if (id !== undefined && kind === 0) {
    return async () => {
      await service.memory.updateMemory({ memory: { id, text }, requestId });
      expected.memories.set(id, text);
      expected.changes += 1;
      own.push(id);
    };
  }
  if (id !== undefined) {
    return async () => {
      await service.memory.deleteMemory({ id, requestId });
      expected.memories.delete(id);
      expected.changes += 1;
    };
  }
  const memories = Array.from({ length: 1 + next(5) }, (_, index) => ({
    text: `${text} part${index}`,
    kind: Kind.MESSAGE,
  }));
  return async () => {
    const { results } = await service.memory.batchCreateMemories({ memories, requestId });
    for (const { outcome } of results) {
      if (outcome.case !== "memory") throw new Error(`refused: ${JSON.stringify(outcome.value)}`);
      expected.memories.set(outcome.value.id, outcome.value.text);
      expected.changes += 1;
      own.push(outcome.value.id);
    }
  };
}

interface Killable {
  /** Kills it. */
  kill(): Promise<void>;
  /** Starts it again. */
  restart(): Promise<void>;
}

/** Resolves when the service answers. */
function untilServing(service: KilledService): Promise<void> {
  return eventually("a service that serves again", () =>
    service.memory.listMemories({ pageSize: 1 }).then(
      () => true,
      (error: unknown) => !isOfKill(error),
    ),
  );
}

/**
 * Writers write, a mirror follows, and one of `processes`, or the mirror, is killed again and again. In the end the mirror
 * has seen every change, in order, and has what the namespace has.
 */
async function followOverKills(service: KilledService, processes: readonly Killable[]): Promise<void> {
  const next = seededInteger(21);
  const expected = new Expected();
  const mirror = new Mirror();
  const END = "the-end";
  await service.start();
  // Opens the watch before the first change.
  let isWatching = false;
  await mirror.follow(service.memory, () => true);
  let isServing = Promise.resolve();
  const follow = async (): Promise<void> => {
    while (!mirror.memories.has(END)) {
      await isServing;
      isWatching = true;
      await mirror.follow(service.memory, () => mirror.memories.has(END)).catch(isOfKill);
      isWatching = false;
    }
  };
  const following = follow();

  const pending: (Step | undefined)[] = Array.from({ length: WRITERS });
  const own: string[][] = Array.from({ length: WRITERS }, () => []);
  let serial = 0;
  const writeUntilKilled = async (changes: number, kill: () => Promise<void>): Promise<void> => {
    let left = changes;
    let killing: Promise<void> | undefined;
    const write = async (writer: number): Promise<void> => {
      while (killing === undefined || pending[writer] !== undefined) {
        serial += 1;
        const text = `writer${writer} change${serial}`;
        const step = pending[writer] ?? nextStep(service, { text, own: own[writer] ?? [], expected }, next);
        pending[writer] = step;
        try {
          await step();
        } catch (error) {
          isOfKill(error);
          return;
        }
        pending[writer] = undefined;
        left -= 1;
        if (left <= 0) killing ??= kill();
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
    await killing;
  };

  for (let kill = 0; kill < KILLS; kill += 1) {
    // Each at least once; the mirror each second time on top of them.
    const victim = processes[kill < processes.length ? kill : next(processes.length)];
    if (victim === undefined) throw new TypeError("nothing to kill");
    let serveAgain = (): void => undefined;
    await writeUntilKilled(5 + next(25), async () => {
      isServing = new Promise((resolve) => {
        serveAgain = resolve;
      });
      if (kill % 2 === 0) mirror.kill();
      await victim.kill();
    });
    await victim.restart();
    await untilServing(service);
    serveAgain();
  }
  for (const step of pending) await step?.();
  await service.memory.createMemory({ memory: { id: END, text: END } });
  expected.memories.set(END, END);
  expected.changes += 1;
  await following;

  expect(isWatching).toBe(false);
  expect(mirror.wrong).toEqual([]);
  expect(mirror.repeated).toBe(mirror.lost);
  expect([...mirror.changes.keys()].sort((a, b) => a - b)).toEqual(
    Array.from({ length: expected.changes }, (_, at) => at + 1),
  );
  const created = [...mirror.changes.values()].filter((change) => change.startsWith("CREATED"));
  expect(new Set(created).size).toBe(created.length);
  expect(mirror.memories).toEqual(expected.memories);
}

describe("a watch of the embedded store", () => {
  it(`misses nothing over ${KILLS} kills of the service and of the watcher`, async () => {
    await using folder = await temporaryFolder({});
    await using service = new KilledService({ DATA_DIR: folder.path });
    await followOverKills(service, [{ kill: () => service.kill(), restart: () => service.start() }]);
  });
});

await describeRedisPrograms("a watch on Redis", () => {
  it(`misses nothing over ${KILLS} kills of the service, of Redis and of the watcher`, async () => {
    await using redis = await startRedis();
    await using service = new KilledService({
      MEMORY_BACKEND: "redis",
      REDIS_HOST: redis.host,
      REDIS_PORT: String(redis.port),
      VECTOR_DIM: "384",
    });
    await followOverKills(service, [
      { kill: () => service.kill(), restart: () => service.start() },
      { kill: () => redis.kill(), restart: () => redis.restart() },
    ]);
  });
});
