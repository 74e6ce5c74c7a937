import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SearchMemoriesRequest_Mode as Mode } from "#gen/recollect/v1/memory_pb.js";
import { IndexInfo_Content, OperationsService } from "#gen/recollect/v1/operations_pb.js";
import { RecollectError } from "../../src/domain/errors.ts";
import { serve } from "../../src/transport/handler.ts";
import { VERSION } from "../../src/version.ts";
import { NOW } from "../support/builders.ts";
import { refusalOf, toRefusal } from "../support/errors.ts";
import { abortion } from "../support/gated-embedder.ts";
import { type EndedCommand, endOf, runCli, spawnCli } from "../support/run-cli.ts";
import { startApp, type TestApp } from "../support/start-app.ts";
import { startGrpcServer } from "../support/start-grpc-server.ts";

/** Processes start slowly on a busy machine. */
const TIMEOUT_MS = 60_000;
const COUNT = 1000;
const DIMENSION = 384;

let folder: string;
let app: TestApp;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "recollect-operations-"));
  app = await startApp({ overrides: { clock: { now: () => NOW } } });
  for (let first = 0; first < COUNT; first += 200) {
    const memories = Array.from({ length: 200 }, (_, index) => memoryAt(first + index));
    await app.memory.batchCreateMemories({ memories });
  }
  await app.cache.storeCacheEntry({
    prompt: { prompt: { case: "text", value: "what is it?" } },
    origin: { case: "scope", value: { model: "m" } },
    response: "it is",
  });
}, TIMEOUT_MS);
afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
}, TIMEOUT_MS);

function memoryAt(index: number): { readonly id: string; readonly text: string } {
  return { id: `m${index}`, text: `${(index * 104_729 + 7).toString(36)} number${index}` };
}

async function expectFound(...indexes: readonly number[]): Promise<void> {
  for (const index of indexes) {
    for (const mode of [Mode.VECTOR, Mode.KEYWORD, Mode.HYBRID]) {
      const { text } = memoryAt(index);
      const { results } = await app.memory.searchMemories({
        query: { by: { case: "text", value: text } },
        mode,
        limit: 1,
      });
      expect([mode, results[0]?.memory?.text]).toEqual([mode, text]);
    }
  }
}

const recollect = (...args: readonly string[]): Promise<EndedCommand> =>
  runCli(args, { address: app.grpcAddress, cwd: folder });

describe("GetServerInfo", { timeout: TIMEOUT_MS }, () => {
  it("returns version, backend and start time", async () => {
    const info = await app.operations.getServerInfo({});
    expect(info).toMatchObject({ version: VERSION, backend: "embedded", topology: "", modules: [] });
    expect(info.startTime === undefined ? undefined : timestampDate(info.startTime)).toEqual(new Date(NOW));
  });

  it("is printed by `recollect server info`", async () => {
    expect(await recollect("server", "info")).toEqual({
      code: 0,
      stdout: `version        ${VERSION}\nbackend        embedded\nstarted        2026-01-01T00:00:00.000Z\n`,
      stderr: "",
    });
    const json = await recollect("--json", "server", "info");
    expect(JSON.parse(json.stdout)).toEqual({
      version: VERSION,
      backend: "embedded",
      startTime: "2026-01-01T00:00:00Z",
      backendVersion: "",
      topology: "",
      modules: [],
      maxmemoryPolicy: "",
      persistence: [],
      capabilities: {},
    });
  });
});

describe("GetIndexInfo", { timeout: TIMEOUT_MS }, () => {
  it("returns the index state of memories and of cache entries", async () => {
    await expectFound(7);
    const { indexes } = await app.operations.getIndexInfo({});
    const common = { failureCount: 0, indexedFraction: 1, algorithm: "FLAT", dimension: DIMENSION };
    expect(indexes).toMatchObject([
      { ...common, name: "memory", content: IndexInfo_Content.MEMORIES, documentCount: COUNT },
      { ...common, name: "cache", content: IndexInfo_Content.CACHE_ENTRIES, documentCount: 1 },
    ]);
    expect(indexes[0]?.memoryBytes).toBeGreaterThanOrEqual(COUNT * DIMENSION * 4);
  });

  it("is printed by `recollect index info`", async () => {
    const ended = await recollect("index", "info");
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout).toMatch(
      /^index {10}memory \(memories\)\ndocuments {6}1,000\nfailures {7}0\nmemory bytes {3}[\d,]+\nindexed {8}100.0 %\nalgorithm {6}FLAT\ndimension {6}384\nindex {10}cache \(cache entries\)\n/,
    );
    const lines = (await recollect("--json", "index", "info")).stdout.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { name: "memory", content: "CONTENT_MEMORIES", documentCount: COUNT, failureCount: 0 },
      { name: "cache", content: "CONTENT_CACHE_ENTRIES", documentCount: 1, failureCount: 0 },
    ]);
  });

  it("has neither dimension nor algorithm while vector search is disabled", async () => {
    await using without = await startApp({ env: { ENABLE_VECTOR_SEARCH: "false" } });
    await without.memory.createMemory({ memory: { text: "by words alone" } });
    for await (const _ of without.operations.rebuildIndex({}));
    expect((await without.operations.getIndexInfo({})).indexes[0]).toMatchObject({
      documentCount: 1,
      indexedFraction: 1,
      algorithm: "",
      dimension: 0,
    });
    const { results } = await without.memory.searchMemories({
      query: { by: { case: "text", value: "words" } },
    });
    expect(results).toHaveLength(1);
  });
});

describe("RebuildIndex", { timeout: TIMEOUT_MS }, () => {
  it("completes while calls read and write, and no result is missing meanwhile", async () => {
    let fresh = COUNT;
    let steps = 0;
    let last = { indexedCount: -1, totalCount: 0, indexedFraction: 0 };
    for await (const progress of app.operations.rebuildIndex({})) {
      expect(progress.indexedCount).toBeGreaterThanOrEqual(last.indexedCount);
      last = progress;
      steps += 1;
      if (steps % 5 !== 1) continue;
      await app.memory.createMemory({ memory: memoryAt(fresh) });
      await expectFound(steps, COUNT - steps, fresh);
      await app.memory.deleteMemory({ id: `m${fresh}` });
      fresh += 1;
    }
    expect(last).toMatchObject({ indexedCount: last.totalCount, indexedFraction: 1 });
    expect(last.indexedCount).toBeGreaterThanOrEqual(COUNT);
    await expectFound(0, 500, COUNT - 1);
    expect((await app.operations.getIndexInfo({})).indexes[0]).toMatchObject({ documentCount: COUNT });
  });

  it("runs once at a time", async () => {
    const outcomes = await Promise.all(
      [1, 2].map(async () => {
        try {
          return (await Array.fromAsync(app.operations.rebuildIndex({}))).length > 0;
        } catch (error) {
          return toRefusal(error);
        }
      }),
    );
    expect(outcomes).toEqual(expect.arrayContaining([true]));
    expect(outcomes).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ code: "FailedPrecondition", reason: "INDEX_REBUILD_RUNNING" }),
      ]),
    );
  });

  it("stops when its caller cancels, and searches are complete then and after another rebuild", async () => {
    const controller = new AbortController();
    const run = async (): Promise<void> => {
      for await (const _ of app.operations.rebuildIndex({}, { signal: controller.signal }))
        controller.abort();
    };
    expect(await refusalOf(run())).toMatchObject({ code: "Canceled" });
    await expectFound(0, COUNT - 1);
    // The server may not have noticed yet.
    await expect
      .poll(async () => {
        try {
          return (await Array.fromAsync(app.operations.rebuildIndex({}))).at(-1)?.indexedFraction;
        } catch (error) {
          return toRefusal(error).reason;
        }
      })
      .toBe(1);
    await expectFound(0, COUNT - 1);
  });
});

describe("recollect index rebuild", { timeout: TIMEOUT_MS }, () => {
  it("prints the rebuilt indexes, its progress as JSON, or nothing with --quiet", async () => {
    expect(await recollect("index", "rebuild")).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^[12],000 index entries made again\n$/),
      stderr: "",
    });
    expect(await recollect("--quiet", "index", "rebuild")).toEqual({ code: 0, stdout: "", stderr: "" });
    const json = await recollect("--json", "index", "rebuild");
    const lines = json.stdout.trimEnd().split("\n");
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ indexedCount: 0, indexedFraction: 0 });
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ indexedFraction: 1 });
  });

  it("prints why it was refused, and the state after Ctrl-C", async () => {
    let calls = 0;
    const service = serve(OperationsService, {
      rebuildIndex: async function* (_request, { signal }) {
        calls += 1;
        if (calls > 1) throw new RecollectError("INDEX_REBUILD_RUNNING", "they are being rebuilt already");
        yield { indexedCount: 1, totalCount: 2, indexedFraction: 0.5 };
        await abortion(signal);
      },
    });
    await using server = await startGrpcServer([service]);
    const options = { address: server.address, cwd: folder };
    const child = spawnCli(["--json", "index", "rebuild"], options);
    const ending = endOf(child);
    await once(child.stdout, "data");
    const refused = await runCli(["index", "rebuild"], options);
    expect(refused).toEqual({
      code: 2,
      stdout: "",
      stderr: "recollect: they are being rebuilt already (INDEX_REBUILD_RUNNING)\n",
    });
    child.kill("SIGINT");
    expect(await ending).toEqual({
      code: 130,
      stdout: '{"indexedCount":1,"totalCount":2,"indexedFraction":0.5}\n',
      stderr: "recollect: interrupted; the previous indexes stay in use\n",
    });
  });
});
