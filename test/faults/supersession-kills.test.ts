import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { type Memory, MemoryService, Memory_State as State } from "#gen/recollect/v1/memory_pb.js";
import { describeRedisPrograms } from "../support/redis/run.ts";
import { startRedis } from "../support/redis/server.ts";
import { scale, seededInteger } from "../support/scale.ts";
import { startProcess } from "../support/start-process.ts";

const WRITERS = 6;

/** What is killed, and started again. */
interface Killed {
  /** Starts what does not run, with these variables of the service. */
  readonly env: () => Promise<Readonly<Record<string, string>>>;
  /** Kills something else than the service; absent: the service is killed. */
  readonly kill?: (run: number) => Promise<boolean>;
}

type Memories = Client<typeof MemoryService>;

/** A service in a process of its own, until `use` has ended. */
async function withService(
  env: Readonly<Record<string, string>>,
  use: (memory: Memories, kill: () => void) => Promise<void>,
): Promise<void> {
  await using server = await startProcess(env);
  const { grpc } = JSON.parse(await server.lineWith('"serving"')) as { grpc: string };
  const sessionManager = new Http2SessionManager(`http://${grpc}`);
  const memory = createClient(
    MemoryService,
    createGrpcTransport({ baseUrl: `http://${grpc}`, sessionManager }),
  );
  try {
    await use(memory, () => void server.process.kill("SIGKILL"));
  } finally {
    sessionManager.abort();
  }
}

async function everything(memory: Memories): Promise<Map<string, Memory>> {
  const found = new Map<string, Memory>();
  for (let pageToken = "", first = true; first || pageToken !== ""; first = false) {
    const filter = { states: [State.ACTIVE, State.SUPERSEDED] };
    const page = await memory.listMemories({ filter, pageSize: 1000, pageToken });
    for (const one of page.memories) found.set(one.id, one);
    pageToken = page.nextPageToken;
  }
  return found;
}

/** Each writer replaces its newest memory with another one, again and again, until something is killed. */
async function supersedeUntilKilled(killed: Killed): Promise<void> {
  const next = seededInteger(2028);
  /** The newest memory of each writer whose writing was acknowledged. */
  const acknowledged = new Map<number, string>();
  const serials = Array.from({ length: WRITERS }, () => 0);
  for (let run = 0; run < scale(2, 40); run += 1) {
    await withService(await killed.env(), async (memory, killService) => {
      const killAfter = 5 + next(60);
      let done = 0;
      const write = async (writer: number): Promise<void> => {
        for (;;) {
          const current = acknowledged.get(writer);
          serials[writer] = (serials[writer] ?? 0) + 1;
          const id = `w${writer}-${serials[writer]}`;
          const supersedes = current === undefined ? [] : [current];
          await memory.createMemory({ memory: { id, text: `fact ${id}`, supersedes } });
          acknowledged.set(writer, id);
          done += 1;
          if (done === killAfter && (await killed.kill?.(run)) !== true) killService();
        }
      };
      const ends = await Promise.allSettled(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
      expect(ends.every(({ status }) => status === "rejected")).toBe(true);
    });
    await withService(await killed.env(), async (memory) => {
      const all = await everything(memory);
      for (const id of acknowledged.values()) expect(all.has(id)).toBe(true);
      for (const { id, state, supersedes, supersededBy } of all.values()) {
        for (const old of supersedes) expect(all.get(old)).toMatchObject({ supersededBy: id });
        expect(supersededBy !== "").toBe(state === State.SUPERSEDED);
        if (supersededBy !== "") expect(all.get(supersededBy)?.supersedes).toEqual([id]);
      }
      // What was replaced is kept by the same step.
      for (const one of [...all.values()].filter((_, at) => at % 7 === 0)) {
        const { revisions } = await memory.listMemoryRevisions({ id: one.id });
        expect(revisions.map((revision) => revision.memory?.state)).toEqual(
          one.state === State.SUPERSEDED ? [State.ACTIVE] : [],
        );
      }
      // A write whose answer was lost may have replaced the newest that was acknowledged.
      for (const [writer, id] of acknowledged) {
        const successor = all.get(id)?.supersededBy;
        if (successor !== undefined && successor !== "") acknowledged.set(writer, successor);
      }
    });
  }
}

describe("the embedded store, killed between the two sides of a supersession", () => {
  it("has both or neither, with the revision of what was replaced", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "recollect-kill-"));
    await supersedeUntilKilled({ env: async () => ({ DATA_DIR: dataDir }) });
    await rm(dataDir, { recursive: true, force: true });
  });
});

await describeRedisPrograms("Redis or the service, killed between the two sides of a supersession", () => {
  it("has both or neither, with the revision of what was replaced", async () => {
    await using redis = await startRedis();
    let isRunning = true;
    await supersedeUntilKilled({
      env: async () => {
        if (!isRunning) await redis.restart();
        isRunning = true;
        return {
          MEMORY_BACKEND: "redis",
          REDIS_HOST: redis.host,
          REDIS_PORT: String(redis.port),
          REDIS_PREFIX: "supersede:",
          VECTOR_DIM: "384",
        };
      },
      kill: async (run) => {
        if (run % 2 === 0) return false;
        isRunning = false;
        await redis.kill();
        return true;
      },
    });
  });
});
