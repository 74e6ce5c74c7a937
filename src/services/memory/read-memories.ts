import { memoryNotFound } from "../../domain/errors.ts";
import { canonicalJson, type Json } from "../../domain/json.ts";
import type { MemoryFilter } from "../../domain/memory/filter.ts";
import type { Memory, StoredMemory } from "../../domain/memory/memory.ts";
import { openPageToken, pageSizeOf, sealPageToken, withinBytes } from "../../domain/page-token.ts";
import { scopeOf } from "../../domain/tenancy.ts";
import type { Clock } from "../../ports/clock.ts";
import type { MemoryStore } from "../../ports/memory-store.ts";
import type { WorkQueue } from "../../ports/work-queue.ts";
import type { CallContext } from "../call.ts";

interface ReadPorts {
  readonly store: Pick<MemoryStore, "get" | "countAccess">;
  readonly clock: Clock;
}

/** One memory by id, in whatever state, which counts as an access. Rejects with MEMORY_NOT_FOUND. */
export async function getMemory(
  ports: ReadPorts,
  input: { readonly namespace: string; readonly id: string },
  context: CallContext,
): Promise<StoredMemory> {
  const scope = scopeOf(context.caller, input.namespace);
  const now = ports.clock.now();
  const [memory] = await ports.store.get(scope, [input.id], now);
  if (memory === undefined) throw memoryNotFound(scope.namespace, input.id);
  ports.store.countAccess(scope, [input.id], now);
  return memory;
}

/**
 * Memories by their ids, in any state, in the order of the ids; undefined where there is none. Counts as an access to
 * each that is there.
 */
export async function batchGetMemories(
  ports: ReadPorts,
  input: { readonly namespace: string; readonly ids: readonly string[] },
  context: CallContext,
): Promise<(StoredMemory | undefined)[]> {
  const scope = scopeOf(context.caller, input.namespace);
  const now = ports.clock.now();
  const memories = await ports.store.get(scope, input.ids, now);
  ports.store.countAccess(
    scope,
    memories.flatMap((memory) => memory?.id ?? []),
    now,
  );
  return memories;
}

/** A page of memories, newest first. Rejects with PAGE_TOKEN_INVALID. */
export async function listMemories(
  ports: { readonly store: Pick<MemoryStore, "list">; readonly clock: Clock; readonly work: WorkQueue },
  input: {
    readonly namespace: string;
    readonly filter: MemoryFilter;
    /** See pageSizeOf. */
    readonly pageSize: number;
    /** Empty for the first page. */
    readonly pageToken: string;
  },
  context: CallContext,
): Promise<{ readonly memories: StoredMemory[]; readonly nextPageToken: string }> {
  const scope = scopeOf(context.caller, input.namespace);
  const request = canonicalJson(["memories", scope.tenant, scope.namespace, asJson(input.filter)]);
  const after = input.pageToken === "" ? undefined : openPageToken(input.pageToken, request);
  const size = pageSizeOf(input.pageSize);
  // One more than the page tells whether there is a next one.
  const { deadline, signal } = context;
  const found = await ports.work.run({ tenant: scope.tenant, kind: "READ", deadline }, signal, () =>
    ports.store.list(scope, {
      filter: input.filter,
      ...(after === undefined ? {} : { after }),
      limit: size + 1,
      now: ports.clock.now(),
    }),
  );
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
