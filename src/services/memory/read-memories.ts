import { namespaceKeyOf } from "../../domain/access/tenancy.ts";
import { memoryNotFound } from "../../domain/errors.ts";
import type { MemoryFilter } from "../../domain/memory/filter.ts";
import type { StoredMemory } from "../../domain/memory/memory.ts";
import { openPageToken, pageSizeOf, sealPageToken } from "../../domain/page-token.ts";
import { canonicalJson, type Json } from "../../lib/json.ts";
import type { Clock } from "../../ports/clock.ts";
import type { AccessCounts } from "../../ports/memory/access-counts.ts";
import type { MemoryReader } from "../../ports/memory/reader.ts";
import type { WorkQueue } from "../../ports/work-queue.ts";
import type { CallContext } from "../call.ts";

interface ReadPorts {
  readonly memories: { readonly reader: Pick<MemoryReader, "get">; readonly accessCounts: AccessCounts };
  readonly clock: Clock;
}

/** One memory by id, in whatever state, which counts as an access. Rejects with MEMORY_NOT_FOUND. */
export async function getMemory(
  ports: ReadPorts,
  input: { readonly namespace: string; readonly id: string },
  context: CallContext,
): Promise<StoredMemory> {
  const scope = namespaceKeyOf(context.caller, input.namespace);
  const now = ports.clock.now();
  const [memory] = await ports.memories.reader.get(scope, [input.id], now);
  if (memory === undefined) throw memoryNotFound(scope.namespace, input.id);
  ports.memories.accessCounts.add(scope, [input.id], now);
  return memory;
}

export interface FoundByIds {
  /** In the order of the ids. */
  readonly memories: readonly StoredMemory[];
  readonly notFoundIds: readonly string[];
  /** Of memories that are there and have no room in the answer. */
  readonly omittedIds: readonly string[];
}

/** Memories by their ids, in any state. Counts as an access to each that is answered. */
export async function batchGetMemories(
  ports: ReadPorts,
  input: {
    readonly namespace: string;
    readonly ids: readonly string[];
    /** How many of the first memories have room in the answer. */
    readonly fitting: (memories: readonly StoredMemory[], notFoundIds: readonly string[]) => number;
  },
  context: CallContext,
): Promise<FoundByIds> {
  const scope = namespaceKeyOf(context.caller, input.namespace);
  const now = ports.clock.now();
  const read = await ports.memories.reader.get(scope, input.ids, now);
  const found = read.filter((memory) => memory !== undefined);
  const notFoundIds = input.ids.filter((_, index) => read[index] === undefined);
  const kept = input.fitting(found, notFoundIds);
  const memories = found.slice(0, kept);
  ports.memories.accessCounts.add(
    scope,
    memories.map(({ id }) => id),
    now,
  );
  return { memories, notFoundIds, omittedIds: found.slice(kept).map(({ id }) => id) };
}

/** A page of memories, newest first. Rejects with PAGE_TOKEN_INVALID. */
export async function listMemories(
  ports: {
    readonly memories: { readonly reader: Pick<MemoryReader, "list"> };
    readonly clock: Clock;
    readonly work: WorkQueue;
  },
  input: {
    readonly namespace: string;
    readonly filter: MemoryFilter;
    /** See pageSizeOf. */
    readonly pageSize: number;
    /** Empty for the first page. */
    readonly pageToken: string;
    /** How many of the first memories have room in the answer, given the token behind so many of them. */
    readonly fitting: (memories: readonly StoredMemory[], tokenBehind: (kept: number) => string) => number;
  },
  context: CallContext,
): Promise<{ readonly memories: StoredMemory[]; readonly nextPageToken: string }> {
  const scope = namespaceKeyOf(context.caller, input.namespace);
  const request = canonicalJson(["memories", scope.tenant, scope.namespace, asJson(input.filter)]);
  const after = input.pageToken === "" ? undefined : openPageToken(input.pageToken, request);
  const size = pageSizeOf(input.pageSize);
  // One more than the page tells whether there is a next one.
  const { deadline, signal } = context;
  const found = await ports.work.run({ tenant: scope.tenant, kind: "READ", deadline }, signal, () =>
    ports.memories.reader.list(scope, {
      filter: input.filter,
      ...(after === undefined ? {} : { after }),
      limit: size + 1,
      now: ports.clock.now(),
    }),
  );
  const tokenBehind = (kept: number): string => {
    const last = found[kept - 1];
    return kept < found.length && last !== undefined ? sealPageToken(last, request) : "";
  };
  const kept = input.fitting(found.slice(0, size), tokenBehind);
  return { memories: found.slice(0, kept), nextPageToken: tokenBehind(kept) };
}

function asJson(value: object): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
