import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import {
  OperationsService,
  type Reembedding,
  Reembedding_State as State,
} from "#gen/recollect/v1/operations_pb.js";
import { type OpenAiServer, startOpenAiServer } from "../support/openai-server.ts";
import {
  type Clients,
  drained,
  fill,
  idOf,
  load,
  nearest,
  startChange as startChangeTo,
  startOfWrites,
  textOf,
} from "../support/reembedding-load.ts";
import { scale, seededInteger } from "../support/scale.ts";
import { startApp } from "../support/start-app.ts";
import { startProcess, type TestProcess } from "../support/start-process.ts";

const MODELS = ["model-x", "model-y"] as const;

async function clientsOf(server: TestProcess): Promise<Clients> {
  const { grpc } = JSON.parse(await server.lineWith('"serving"')) as { grpc: string };
  const transport = createGrpcTransport({ baseUrl: `http://${grpc}` });
  return {
    memory: createClient(MemoryService, transport),
    cache: createClient(CacheService, transport),
    operations: createClient(OperationsService, transport),
  };
}

async function startChange(app: Clients): Promise<string> {
  const { model } = await app.operations.getEmbeddingInfo({});
  return startChangeTo(app, model === MODELS[0] ? MODELS[1] : MODELS[0]);
}

/** 0 to 1; 1 when it has finished. */
function progressOf(reembedding: Reembedding | undefined): number {
  return reembedding?.state === State.RUNNING ? reembedding.embeddedFraction : 1;
}

/** Settings of the openai embedder with this provider. */
const envOf = ({ apiBase }: OpenAiServer) => ({
  EMBEDDING_PROVIDER: "openai",
  EMBEDDING_API_BASE: apiBase,
  EMBEDDING_MODEL: MODELS[0],
  VECTOR_DIM: "64",
});

describe("a server killed while memories are pending", () => {
  it("embeds every acknowledged memory once the provider answers again", async () => {
    const next = seededInteger(504);
    const dataDir = await mkdtemp(join(tmpdir(), "recollect-pending-kill-"));
    await using provider = await startOpenAiServer({ dimension: 64 });
    const env = { DATA_DIR: dataDir, ...envOf(provider) };
    const written: number[] = [];
    for (let run = 0; run < scale(1, 10); run += 1) {
      await using server = await startProcess(env);
      const app = await clientsOf(server);
      provider.always({ kind: "answer" });
      const count = 20 + next(40);
      for (let step = 0; step < count; step += 1) {
        if (step === 10) provider.always({ kind: "status", status: 401 });
        const index = run * 100 + step;
        await app.memory.createMemory({ memory: { id: idOf(index), text: textOf(index) } });
        written.push(index);
      }
      expect((await app.operations.getEmbeddingInfo({})).pendingCount).toBeGreaterThan(0);
      server.process.kill("SIGKILL");
      await server.exited;
    }
    provider.always({ kind: "answer" });
    await using app = await startApp({ dataDir, env });
    await drained(app);
    for (const index of written) expect(await nearest(app, index)).toEqual([idOf(index), 1]);
    await rm(dataDir, { recursive: true, force: true });
  });
});

describe("a server killed during a re-embedding", () => {
  it("resumes it, answers no read wrongly, and loses no acknowledged write", async () => {
    const next = seededInteger(505);
    const size = scale(200, 1000);
    const writes = startOfWrites(size);
    const dataDir = await mkdtemp(join(tmpdir(), "recollect-reembedding-kill-"));
    await using provider = await startOpenAiServer({ dimension: 64, apart: MODELS });
    const env = envOf(provider);
    let resumed = 0;
    /** The re-embedding that was running when the server was killed. */
    let id: string | undefined;
    for (let run = 0; run < scale(5, 40); run += 1) {
      await using server = await startProcess({ DATA_DIR: dataDir, ...env });
      const app = await clientsOf(server);
      if (run === 0) await fill(app, size);
      const left = id === undefined ? undefined : (await app.operations.getReembedding({ id })).reembedding;
      // Before a new request: the unfinished re-embedding of the last run.
      if (server.stdout().includes("being embedded again")) resumed += 1;
      if (left?.state !== State.RUNNING) id = await startChange(app);

      // From its beginning to a little after its end, while the vectors of the old model are deleted.
      const killAt = next(24) / 20;
      let after = 0;
      let killed = false;
      const kill = async (): Promise<boolean> => {
        const progress = progressOf((await app.operations.getReembedding({ id: id ?? "" })).reembedding);
        if (progress === 1) after += 1;
        if (progress + after / 20 < killAt) return false;
        killed = true;
        server.process.kill("SIGKILL");
        return false;
      };
      const failure: unknown = await load(app, size, writes, kill).catch((error: unknown) => error);
      // No call fails before the kill, and afterwards only because the server is down.
      if (!killed || !(failure instanceof ConnectError)) throw failure;
      await server.exited;
    }

    await using app = await startApp({ dataDir, env });
    const over = async () =>
      (await app.operations.getReembedding({ id: id ?? "" })).reembedding?.state !== State.RUNNING;
    expect(await load(app, size, writes, over)).toBeGreaterThan(0);
    expect((await app.operations.getReembedding({ id: id ?? "" })).reembedding?.state).toBe(State.DONE);
    await drained(app);
    for (const index of writes.written) {
      const { memory } = await app.memory.getMemory({ id: idOf(index) });
      expect(memory?.text).toBe(textOf(index));
      if (writes.corrected.has(index)) expect(memory?.importance).toBeCloseTo(0.9, 5);
      expect(await nearest(app, index)).toEqual([idOf(index), 1]);
    }
    await app.checked;
    const ready = (await (await fetch(`${app.httpUrl}/ready`)).json()) as { readonly warnings: string[] };
    expect(ready.warnings.filter((warning) => warning.includes("damaged"))).toEqual([]);
    expect(resumed).toBeGreaterThan(0);
    await rm(dataDir, { recursive: true, force: true });
  });
});
