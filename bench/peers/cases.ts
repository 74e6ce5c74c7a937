import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  CacheService,
  LookupCacheResponse_Hit_Match as Match,
  StoreCacheEntryRequestSchema,
  StoreCacheEntryResponseSchema,
} from "#gen/recollect/v1/cache_pb.js";
import {
  BatchCreateMemoriesRequestSchema,
  BatchCreateMemoriesResponseSchema,
  CreateMemoryRequestSchema,
  CreateMemoryResponseSchema,
  MemoryService,
  SearchMemoriesRequest_Mode as Mode,
} from "#gen/recollect/v1/memory_pb.js";
import { pathOf } from "../caller.ts";
import { type Case, lookup, search } from "../cases.ts";
import { batchesOf, type PeersData } from "./data.ts";

/** The library that a case is compared with. */
export type PeerName = "redisvl" | "mem0";

/** A case, and what a peer does for it. */
export interface PeerCase extends Case {
  readonly peer: PeerName;
  /** The operation of the peer's program, and what a reader knows it by. */
  readonly operation: string;
  readonly title: string;
  /** Numbers of callers, and the calls of a run in a case whose requests can be sent once. */
  readonly loads: readonly { readonly callers: number; readonly calls?: number }[];
}

/** One caller, and sixteen. */
const CALLERS = [{ callers: 1 }, { callers: 16 }] as const;
/** Calls of a run with one caller, and with sixteen: both sides store as much, so that both stores grow alike. */
export const STORED_IN_A_RUN = [
  { callers: 1, calls: 150 },
  { callers: 16, calls: 320 },
] as const;
export const BATCHES_IN_A_RUN = [
  { callers: 1, calls: 3 },
  { callers: 2, calls: 4 },
] as const;

/** All cases; those that write to a store come after those that read it. */
export function peerCases({ memories, entries, requests }: PeersData): PeerCase[] {
  const redisvl = "RedisVL SemanticCache";
  const mem0 = "mem0 Memory";
  const found = { peer: "mem0", operation: "search", title: `${mem0}.search`, loads: CALLERS } as const;
  return [
    {
      ...lookup(
        "peers exact cache hit",
        entries.filled.map(({ stored }) => stored),
        Match.EXACT,
      ),
      peer: "redisvl",
      operation: "check, same prompt",
      title: `${redisvl}.check of the same prompt`,
      loads: CALLERS,
    },
    {
      ...lookup(
        "peers semantic cache hit",
        entries.filled.map(({ reworded }) => reworded),
        Match.SEMANTIC,
      ),
      peer: "redisvl",
      operation: "check, other words",
      title: `${redisvl}.check of other words`,
      loads: CALLERS,
    },
    { ...storeAnswers(requests.added), peer: "redisvl", operation: "store", title: `${redisvl}.store` },
    { ...search("peers search HYBRID", memories.queries, Mode.HYBRID), ...found },
    { ...search("peers search VECTOR", memories.queries, Mode.VECTOR), ...found },
    { ...createOne(memories.added), peer: "mem0", operation: "add", title: `${mem0}.add` },
    {
      ...createHundred(memories.batches),
      peer: "mem0",
      operation: "add 100",
      title: `${mem0}.add of 100 messages`,
    },
  ];
}

type Once = Omit<PeerCase, "peer" | "operation" | "title">;

function storeAnswers(requests: PeersData["requests"]["added"]): Once {
  return {
    name: "peers store answer",
    path: pathOf(CacheService.method.storeCacheEntry),
    requests: requests.map((one) => toBinary(StoreCacheEntryRequestSchema, one)),
    accepts: (reply) => !fromBinary(StoreCacheEntryResponseSchema, reply).replaced,
    streams: 0,
    loads: STORED_IN_A_RUN,
  };
}

function createOne(memories: PeersData["memories"]["added"]): Once {
  return {
    name: "peers create memory",
    path: pathOf(MemoryService.method.createMemory),
    requests: memories.map((memory) =>
      toBinary(CreateMemoryRequestSchema, create(CreateMemoryRequestSchema, { memory })),
    ),
    accepts: (reply) => !fromBinary(CreateMemoryResponseSchema, reply).duplicate,
    streams: 0,
    loads: STORED_IN_A_RUN,
  };
}

function createHundred(batches: PeersData["memories"]["batches"]): Once {
  return {
    name: "peers batch create of 100",
    path: pathOf(MemoryService.method.batchCreateMemories),
    requests: batches.flatMap(batchesOf).map((one) => toBinary(BatchCreateMemoriesRequestSchema, one)),
    accepts: (reply) =>
      fromBinary(BatchCreateMemoriesResponseSchema, reply).results.every(
        ({ outcome, duplicate }) => outcome.case === "memory" && !duplicate,
      ),
    streams: 0,
    loads: BATCHES_IN_A_RUN,
  };
}
