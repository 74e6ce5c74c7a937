import { describe, expect, it, vi } from "vitest";
import { memory } from "../../../test/support/builders.ts";
import { unboundedWork } from "../../../test/support/unbounded-work.ts";
import { ModelChanged } from "../../domain/embedding/identity.ts";
import { RecollectError } from "../../domain/errors.ts";
import { ACTIVE_ONLY } from "../../domain/memory/filter.ts";
import type { Embedder } from "../../ports/embedding/embedder.ts";
import type { MemoryReader } from "../../ports/memory/reader.ts";
import type { CandidateSearch, Candidates } from "../../ports/memory/search.ts";
import type { CallContext } from "../call.ts";
import { type SearchMemoriesInput, type SearchMemoriesPorts, searchMemories } from "./search-memories.ts";

const NOW = 1_700_000_000_000;
const INPUT: SearchMemoriesInput = {
  namespace: "",
  query: { kind: "text", text: "green tea" },
  filter: ACTIVE_ONLY,
  mode: "HYBRID",
  limit: 10,
  recencyWeight: 0,
  importanceWeight: 0,
  diversity: 0,
  neighbors: 0,
};
const MEMORY = memory({
  id: "m",
  text: "Ann likes tea",
  importance: 0.5,
  createTime: NOW,
  updateTime: NOW,
  etag: "e",
  embedding: { state: "READY", provider: "p", model: "m", dimension: 2, truncated: false },
});
const FACTS = { time: NOW, importance: 0.5 };
const FOUND: Candidates = {
  byVector: [{ ...FACTS, id: "near", similarity: 0.6 }],
  byKeyword: [{ ...FACTS, id: "word", document: { counts: [1], length: 3 } }],
  corpus: { documentCount: 2, meanLength: 3, documentFrequencies: new Map([["tea", 1]]) },
  plan: { terms: ["tea"], commonTerms: [], walked: false, rounds: 1 },
};

const fails = (error: Error): Embedder => ({
  identity: { provider: "p", model: "m", dimension: 2 },
  embed: () => Promise.reject(error),
});
const WORKS: Embedder = {
  identity: { provider: "p", model: "m", dimension: 2 },
  embed: async (texts) => texts.map(() => ({ vector: Float32Array.of(1, 0), truncated: false })),
};
const UNAVAILABLE = new RecollectError("EMBEDDER_UNAVAILABLE", "down");
const CONTEXT: CallContext = {
  caller: { tenant: "t", principal: "p", roles: new Set(), debug: false },
  signal: new AbortController().signal,
  arrival: 0,
  deadline: Number.POSITIVE_INFINITY,
};

function portsWith(
  embedder: Embedder | undefined,
  changes: Partial<CandidateSearch & Pick<MemoryReader, "get" | "neighbors">> = {},
) {
  const search = vi.fn<CandidateSearch["search"]>(async (_, query) => ({
    ...FOUND,
    byVector: query.vector === undefined ? [] : FOUND.byVector,
    byKeyword: query.terms === undefined ? [] : FOUND.byKeyword,
  }));
  const log = { warn: vi.fn() };
  const metrics = {
    cacheLookup: vi.fn(),
    cacheGuardRefused: vi.fn(),
    cacheSaved: vi.fn(),
    vectorSearch: vi.fn(),
  };
  const ports: SearchMemoriesPorts = {
    memories: {
      search: {
        search,
        vectors: async (_, ids) => ids.map(() => Float32Array.of(0.8, 0.6)),
        ...changes,
      },
      reader: {
        get: async (_, ids) => ids.map((id) => ({ ...MEMORY, id })),
        neighbors: async (_, ids) => ids.map(() => []),
        ...changes,
      },
      accessCounts: { add: () => undefined },
    },
    embedder,
    clock: { now: () => NOW },
    metrics,
    log,
    work: unboundedWork,
  };
  return { ports, search, log, metrics };
}

const idsOf = (output: Awaited<ReturnType<typeof searchMemories>>): string[] =>
  output.found.map(({ memory }) => memory.id);

describe("searchMemories when the embedder is unavailable", () => {
  it("searches by keyword only, reports it, and warns", async () => {
    const { ports, search, log, metrics } = portsWith(fails(UNAVAILABLE));
    const output = await searchMemories(ports, INPUT, CONTEXT);
    expect(idsOf(output)).toEqual(["word"]);
    expect(output.degraded).toEqual(["VECTOR"]);
    expect(search.mock.calls[0]?.[1]).not.toHaveProperty("vector");
    expect(log.warn).toHaveBeenCalledTimes(1);
    expect(JSON.stringify(log.warn.mock.calls)).not.toContain("green tea");
    expect(metrics.vectorSearch).not.toHaveBeenCalled();
  });

  it("refuses a search in mode VECTOR", async () => {
    const { ports } = portsWith(fails(UNAVAILABLE));
    await expect(searchMemories(ports, { ...INPUT, mode: "VECTOR" }, CONTEXT)).rejects.toMatchObject({
      reason: "EMBEDDER_UNAVAILABLE",
    });
  });

  it("is not used by a search in mode KEYWORD", async () => {
    const { ports } = portsWith(fails(UNAVAILABLE));
    const output = await searchMemories(ports, { ...INPUT, mode: "KEYWORD" }, CONTEXT);
    expect([idsOf(output), output.degraded]).toEqual([["word"], []]);
  });

  it("does not hide another failure", async () => {
    const bug = new TypeError("bug");
    await expect(searchMemories(portsWith(fails(bug)).ports, INPUT, CONTEXT)).rejects.toBe(bug);
  });
});

describe("searchMemories when the model of the vectors has changed", () => {
  it("embeds the query again, and rejects with a retry delay when it changes at each attempt", async () => {
    const embed = vi.fn(WORKS.embed);
    const changed = vi.fn<CandidateSearch["search"]>(async () => {
      if (changed.mock.calls.length === 1) throw new ModelChanged();
      return FOUND;
    });
    const once = portsWith({ ...WORKS, embed }, { search: changed }).ports;
    expect(idsOf(await searchMemories(once, INPUT, CONTEXT))).toContain("near");
    expect(embed).toHaveBeenCalledTimes(2);
    const always = portsWith(WORKS, { search: () => Promise.reject(new ModelChanged()) }).ports;
    await expect(searchMemories(always, INPUT, CONTEXT)).rejects.toMatchObject({
      reason: "STORE_UNAVAILABLE",
      detail: { retryAfterMs: 1000 },
    });
  });
});

describe("searchMemories without vector search", () => {
  it("searches by keyword only and reports it", async () => {
    const output = await searchMemories(portsWith(undefined).ports, INPUT, CONTEXT);
    expect([idsOf(output), output.degraded]).toEqual([["word"], ["VECTOR"]]);
  });

  it("refuses a search in mode VECTOR", async () => {
    await expect(
      searchMemories(portsWith(undefined).ports, { ...INPUT, mode: "VECTOR" }, CONTEXT),
    ).rejects.toMatchObject({ reason: "VECTOR_SEARCH_DISABLED" });
  });
});

describe("searchMemories", () => {
  it("returns the similarity of memories that only the keyword retriever found", async () => {
    const output = await searchMemories(portsWith(WORKS).ports, INPUT, CONTEXT);
    expect(output.degraded).toEqual([]);
    expect(
      new Map(output.found.map(({ memory, similarity }) => [memory.id, similarity?.toFixed(3)])),
    ).toEqual(
      new Map([
        ["near", "0.600"],
        ["word", "0.800"],
      ]),
    );
  });

  it("applies min_similarity to those too, and omits memories without a vector", async () => {
    const above = await searchMemories(portsWith(WORKS).ports, { ...INPUT, minSimilarity: 0.7 }, CONTEXT);
    expect(idsOf(above)).toEqual(["word"]);
    const { ports } = portsWith(WORKS, { vectors: async (_, ids) => ids.map(() => undefined) });
    expect(idsOf(await searchMemories(ports, { ...INPUT, minSimilarity: -1 }, CONTEXT))).toEqual(["near"]);
  });

  it("omits memories that were deleted between its two reads", async () => {
    const get: MemoryReader["get"] = async (_, ids) =>
      ids.map((id) => (id === "near" ? undefined : { ...MEMORY, id }));
    expect(idsOf(await searchMemories(portsWith(WORKS, { get }).ports, INPUT, CONTEXT))).toEqual(["word"]);
  });

  it("never returns the memory of a query by memory id", async () => {
    const query = { kind: "memory", id: "near" } as const;
    const { ports, search } = portsWith(WORKS);
    expect(idsOf(await searchMemories(ports, { ...INPUT, query }, CONTEXT))).toEqual(["word"]);
    expect(search.mock.calls[0]?.[1].limit).toBe(51);
  });

  it.each([
    ["of another dimension", [1, 0, 0], "VECTOR_DIMENSION_MISMATCH"],
    ["of zeros", [0, 0], "VECTOR_INVALID"],
    ["that is not finite", [1, Number.NaN], "VECTOR_INVALID"],
  ])("refuses a vector %s", async (_, numbers, reason) => {
    const query = { kind: "vector", vector: Float32Array.from(numbers) } as const;
    await expect(
      searchMemories(portsWith(WORKS).ports, { ...INPUT, mode: "VECTOR", query }, CONTEXT),
    ).rejects.toMatchObject({ reason });
  });

  it.each([
    [1, 50],
    [50, 50],
    [51, 51],
    [100, 100],
  ])("for %i results asks each retriever for %i candidates", async (limit, candidates) => {
    const { ports, search } = portsWith(WORKS);
    await searchMemories(ports, { ...INPUT, limit }, CONTEXT);
    expect(search.mock.calls[0]?.[1].limit).toBe(candidates);
  });

  it("searches each term of the query once, and 64 at most", async () => {
    const { ports, search } = portsWith(WORKS);
    const text = `tea tea ${Array.from({ length: 100 }, (_, index) => `w${index}`).join(" ")}`;
    await searchMemories(ports, { ...INPUT, query: { kind: "text", text } }, CONTEXT);
    const terms = search.mock.calls[0]?.[1].terms ?? [];
    expect(terms).toHaveLength(64);
    expect(new Set(terms).size).toBe(64);
  });
});
