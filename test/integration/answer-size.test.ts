import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ListCacheEntriesResponseSchema } from "#gen/recollect/v1/cache_pb.js";
import {
  type BatchCreateMemoriesResponse,
  BatchCreateMemoriesResponseSchema,
  BatchGetMemoriesResponseSchema,
  ListMemoriesResponseSchema,
  SearchMemoriesRequest_Mode as Mode,
  SearchMemoriesRequestSchema,
  SearchMemoriesResponseSchema,
} from "#gen/recollect/v1/memory_pb.js";
import { startApp, type TestApp } from "../support/start-app.ts";

const MIB = 1024 * 1024;
const LARGEST = 16 * MIB;
const COUNT = 80;
const IDS = Array.from({ length: COUNT }, (_, index) => `m${index}`);
const namespace = "large";
/** All of them together take more than 4 MiB, and less than 8. */
const memories = IDS.map((id) => ({ id, text: `word ${id} ${"x".repeat(60_000)}` }));
const SEARCH = {
  namespace,
  query: { by: { case: "text" as const, value: "word" } },
  mode: Mode.KEYWORD,
  limit: 100,
};

describe("responses larger than the gRPC client limit", () => {
  let app: TestApp;
  let created: BatchCreateMemoriesResponse;
  beforeAll(async () => {
    app = await startApp();
    created = await app.memory.batchCreateMemories({ namespace, memories });
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  const accessCountOf = async (id: string): Promise<bigint | undefined> =>
    (await app.memory.listMemories({ namespace, pageSize: 1000, maxAnswerBytes: LARGEST })).memories.find(
      (memory) => memory.id === id,
    )?.accessCount;

  it("of a batch omit the texts, and name the omitted fields", async () => {
    expect(toBinary(BatchCreateMemoriesResponseSchema, created).length).toBeLessThanOrEqual(4 * MIB);
    expect(created.omittedFields).toEqual(["text"]);
    expect(created.results.map(({ outcome }) => outcome)).toMatchObject(
      IDS.map((id) => ({ case: "memory", value: { id, text: "", etag: expect.stringMatching(/./) } })),
    );
    const whole = await app.memory.batchCreateMemories({
      namespace,
      memories: memories.map(({ text }) => ({ text })),
      maxAnswerBytes: LARGEST,
    });
    expect(whole.omittedFields).toEqual([]);
    expect(whole.results).toMatchObject(
      memories.map((memory) => ({ duplicate: true, outcome: { case: "memory", value: memory } })),
    );
  });

  it("of a search are truncated, and omitted results are not counted as accesses", async () => {
    const cut = await app.memory.searchMemories(SEARCH);
    expect(cut.truncated).toBe(true);
    const bytes = toBinary(SearchMemoriesResponseSchema, cut).length;
    expect(bytes).toBeLessThanOrEqual(4 * MIB);
    expect(bytes).toBeGreaterThan(4 * MIB - 61_000);
    const returned = cut.results.map(({ memory }) => memory?.id ?? "");
    const left = IDS.find((id) => !returned.includes(id)) ?? "";
    expect(await accessCountOf(returned[0] ?? "")).toBe(1n);
    expect(await accessCountOf(left)).toBe(0n);

    const whole = await app.memory.searchMemories({ ...SEARCH, maxAnswerBytes: LARGEST });
    expect([whole.truncated, whole.results.length]).toEqual([false, COUNT]);
    expect(whole.results.slice(0, returned.length).map(({ memory }) => memory?.id)).toEqual(returned);
    const explained = await app.memory.searchMemories({ ...SEARCH, explain: true });
    expect(explained.truncated).toBe(true);
    expect(explained.plan?.keywordRetriever?.terms).toEqual(["word"]);
    expect(toBinary(SearchMemoriesResponseSchema, explained).length).toBeLessThanOrEqual(4 * MIB);
    const least = await app.memory.searchMemories({ ...SEARCH, maxAnswerBytes: 1 });
    expect([least.truncated, least.results.length]).toEqual([true, 1]);
  });

  it("are accepted by a client with the default limit", async () => {
    using client = Object.assign(new grpc.Client(app.grpcAddress, grpc.credentials.createInsecure()), {
      [Symbol.dispose]: () => client.close(),
    });
    const reply = await new Promise<Buffer>((resolve, reject) => {
      const request = Buffer.from(
        toBinary(SearchMemoriesRequestSchema, create(SearchMemoriesRequestSchema, SEARCH)),
      );
      const same = (bytes: Buffer): Buffer => bytes;
      const path = "/recollect.v1.MemoryService/SearchMemories";
      client.makeUnaryRequest(path, same, same, request, (error, bytes) => {
        if (bytes === undefined) reject(error ?? new Error("no answer"));
        else resolve(bytes);
      });
    });
    expect(fromBinary(SearchMemoriesResponseSchema, reply).truncated).toBe(true);
  });

  it("of BatchGetMemories name the omitted ids, which can be requested again", async () => {
    const asked = [...IDS.slice(0, 3), "never", ...IDS.slice(3)];
    const first = await app.memory.batchGetMemories({ namespace, ids: asked });
    expect(toBinary(BatchGetMemoriesResponseSchema, first).length).toBeLessThanOrEqual(4 * MIB);
    expect(first.notFoundIds).toEqual(["never"]);
    expect(first.omittedIds.length).toBeGreaterThan(0);
    const second = await app.memory.batchGetMemories({ namespace, ids: first.omittedIds });
    expect(second.omittedIds).toEqual([]);
    expect([...first.memories, ...second.memories].map(({ id }) => id)).toEqual(IDS);
    const whole = await app.memory.batchGetMemories({ namespace, ids: IDS, maxAnswerBytes: LARGEST });
    expect([whole.memories.length, whole.omittedIds]).toEqual([COUNT, []]);
  });

  it("of lists end the page at 2 MiB by default, or at the requested bound", async () => {
    const walk = async (maxAnswerBytes: number): Promise<number[]> => {
      const pages: number[] = [];
      const seen: string[] = [];
      let pageToken = "";
      do {
        const page = await app.memory.listMemories({
          namespace,
          pageSize: 1000,
          pageToken,
          maxAnswerBytes,
        });
        pages.push(toBinary(ListMemoriesResponseSchema, page).length);
        seen.push(...page.memories.map(({ id }) => id));
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      expect(seen.toSorted()).toEqual(IDS.toSorted());
      return pages;
    };
    expect(Math.max(...(await walk(0)))).toBeLessThanOrEqual(2 * MIB);
    expect(Math.max(...(await walk(3 * MIB)))).toBeGreaterThan(2 * MIB);
    expect((await walk(LARGEST)).length).toBe(1);
    expect((await walk(1)).length).toBe(COUNT);
  });

  it("of cache entry lists likewise", async () => {
    for (const text of ["one", "two", "three", "four", "five"]) {
      await app.cache.storeCacheEntry({
        namespace,
        prompt: { prompt: { case: "text", value: text } },
        origin: { case: "scope", value: { model: "m" } },
        response: "x".repeat(MIB),
      });
    }
    const pageOf = async (maxAnswerBytes: number): Promise<readonly [number, number, boolean]> => {
      const page = await app.cache.listCacheEntries({ namespace, pageSize: 1000, maxAnswerBytes });
      const bytes = toBinary(ListCacheEntriesResponseSchema, page).length;
      return [page.entries.length, Math.floor(bytes / MIB), page.nextPageToken === ""];
    };
    expect(await pageOf(0)).toEqual([1, 1, false]);
    expect(await pageOf(4 * MIB)).toEqual([3, 3, false]);
    expect(await pageOf(LARGEST)).toEqual([5, 5, true]);
  });

  describe("over HTTP", () => {
    const post = async (method: string, body: object): Promise<Record<string, unknown>> => {
      const response = await fetch(`${app.httpUrl}/recollect.v1.MemoryService/${method}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      expect(response.status).toBe(200);
      return (await response.json()) as Record<string, unknown>;
    };

    it("have the same bounds as over gRPC", async () => {
      const { results } = await app.memory.searchMemories(SEARCH);
      const answer = await post("SearchMemories", {
        namespace,
        query: { text: "word" },
        mode: "MODE_KEYWORD",
        limit: 100,
      });
      expect(answer["truncated"]).toBe(true);
      expect(answer["results"]).toHaveLength(results.length);
    });

    it("are sent even when their JSON takes several times the bound", async () => {
      // Each takes one byte as protobuf, and six as JSON.
      const text = "\u0001".repeat(60_000);
      const odd = Array.from({ length: 60 }, (_, index) => ({ text: `${index}${text}` }));
      await app.memory.batchCreateMemories({ namespace: "odd", memories: odd });
      const page = await post("ListMemories", { namespace: "odd", pageSize: 100, maxAnswerBytes: 4 * MIB });
      expect(page["memories"]).toHaveLength(odd.length);
      expect(page).not.toHaveProperty("nextPageToken");
    });
  });
});
