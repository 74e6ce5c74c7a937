import { memoryNotFound } from "../../domain/errors.ts";
import { canonicalJson, type Json } from "../../domain/json.ts";
import type { MemoryFilter } from "../../domain/memory/filter.ts";
import type { Memory } from "../../domain/memory/memory.ts";
import { openPageToken, pageSizeOf, sealPageToken, withinBytes } from "../../domain/page-token.ts";
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

/** Memories by their ids, in any state, in the order of the ids; undefined where there is none. */
export async function batchGetMemories(
  ports: { readonly store: Pick<MemoryStore, "get">; readonly clock: Clock },
  input: { readonly namespace: string; readonly ids: readonly string[] },
  context: CallContext,
): Promise<(Memory | undefined)[]> {
  return ports.store.get(scopeOf(context.caller, input.namespace), input.ids, ports.clock.now());
}

/** A page of memories, newest first. Rejects with PAGE_TOKEN_INVALID. */
export async function listMemories(
  ports: { readonly store: Pick<MemoryStore, "list">; readonly clock: Clock },
  input: {
    readonly namespace: string;
    readonly filter: MemoryFilter;
    /** See pageSizeOf. */
    readonly pageSize: number;
    /** Empty for the first page. */
    readonly pageToken: string;
  },
  context: CallContext,
): Promise<{ readonly memories: Memory[]; readonly nextPageToken: string }> {
  const scope = scopeOf(context.caller, input.namespace);
  const request = canonicalJson(["memories", scope.tenant, scope.namespace, asJson(input.filter)]);
  const after = input.pageToken === "" ? undefined : openPageToken(input.pageToken, request);
  const size = pageSizeOf(input.pageSize);
  // One more than the page tells whether there is a next one.
  const found = await ports.store.list(scope, {
    filter: input.filter,
    ...(after === undefined ? {} : { after }),
    limit: size + 1,
    now: ports.clock.now(),
  });
  const memories = withinBytes(found.slice(0, size), sizeOf);
  const last = memories.at(-1);
  const nextPageToken =
    found.length > memories.length && last !== undefined ? sealPageToken(last, request) : "";
  return { memories, nextPageToken };
}

function sizeOf(memory: Memory): number {
  return Buffer.byteLength(memory.text) + Buffer.byteLength(JSON.stringify(memory.metadata));
}

function asJson(value: object): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
