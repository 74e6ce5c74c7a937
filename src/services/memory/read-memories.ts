import { memoryNotFound } from "../../domain/errors.ts";
import { canonicalJson, type Json } from "../../domain/json.ts";
import type { MemoryFilter } from "../../domain/memory/filter.ts";
import type { Memory } from "../../domain/memory/memory.ts";
import { openPageToken, sealPageToken } from "../../domain/page-token.ts";
import { scopeOf } from "../../domain/tenancy.ts";
import type { Clock } from "../../ports/clock.ts";
import type { MemoryStore } from "../../ports/memory-store.ts";
import type { CallContext } from "../call.ts";

/** One memory by id, in whatever state. Rejects with MEMORY_NOT_FOUND. */
export async function getMemory(
  ports: { readonly store: Pick<MemoryStore, "get">; readonly clock: Clock },
  input: { readonly namespace: string; readonly id: string },
  context: CallContext,
): Promise<Memory> {
  const scope = scopeOf(context.caller, input.namespace);
  const [memory] = await ports.store.get(scope, [input.id], ports.clock.now());
  if (memory === undefined) throw memoryNotFound(scope.namespace, input.id);
  return memory;
}

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;

/** A page of memories, newest first. Rejects with PAGE_TOKEN_INVALID. */
export async function listMemories(
  ports: { readonly store: Pick<MemoryStore, "list">; readonly clock: Clock },
  input: {
    readonly namespace: string;
    readonly filter: MemoryFilter;
    /** 0 means DEFAULT_PAGE_SIZE; clamped to MAX_PAGE_SIZE. */
    readonly pageSize: number;
    /** Empty for the first page. */
    readonly pageToken: string;
  },
  context: CallContext,
): Promise<{ readonly memories: Memory[]; readonly nextPageToken: string }> {
  const scope = scopeOf(context.caller, input.namespace);
  const request = canonicalJson(["memories", scope.tenant, scope.namespace, asJson(input.filter)]);
  const after = input.pageToken === "" ? undefined : openPageToken(input.pageToken, request);
  const size = input.pageSize === 0 ? DEFAULT_PAGE_SIZE : Math.min(input.pageSize, MAX_PAGE_SIZE);
  // One more than the page tells whether there is a next one.
  const found = await ports.store.list(scope, {
    filter: input.filter,
    ...(after === undefined ? {} : { after }),
    limit: size + 1,
    now: ports.clock.now(),
  });
  const memories = found.slice(0, size);
  const last = memories.at(-1);
  const nextPageToken = found.length > size && last !== undefined ? sealPageToken(last, request) : "";
  return { memories, nextPageToken };
}

function asJson(value: object): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
