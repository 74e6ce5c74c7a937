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

/** One memory by id, in any state. Counts as an access. Rejects with MEMORY_NOT_FOUND. */
export async function getMemory(
  ports: ReadPorts,
  input: { readonly namespace: string; readonly id: string },
  context: CallContext,
): Promise<StoredMemory> {
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const now = ports.clock.now();
  const [memory] = await ports.memories.reader.get(namespaceKey, [input.id], now);
  if (memory === undefined) throw memoryNotFound(namespaceKey.namespace, input.id);
  ports.memories.accessCounts.add(namespaceKey, [input.id], now);
  return memory;
}

export interface FoundByIds {
  /** In the order of the ids. */
  readonly memories: readonly StoredMemory[];
  readonly notFoundIds: readonly string[];
  /** Of memories that do not fit into the answer. */
  readonly omittedIds: readonly string[];
}

/** Memories by their ids, in any state. Counts as an access to each returned memory. */
export async function batchGetMemories(
  ports: ReadPorts,
  input: {
    readonly namespace: string;
    readonly ids: readonly string[];
    /** How many of the first memories fit into the answer. */
    readonly fitting: (memories: readonly StoredMemory[], notFoundIds: readonly string[]) => number;
  },
  context: CallContext,
): Promise<FoundByIds> {
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const now = ports.clock.now();
  const read = await ports.memories.reader.get(namespaceKey, input.ids, now);
  const found = read.filter((memory) => memory !== undefined);
  const notFoundIds = input.ids.filter((_, index) => read[index] === undefined);
  const count = input.fitting(found, notFoundIds);
  const memories = found.slice(0, count);
  ports.memories.accessCounts.add(
    namespaceKey,
    memories.map(({ id }) => id),
    now,
  );
  return { memories, notFoundIds, omittedIds: found.slice(count).map(({ id }) => id) };
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
    /** How many of the first memories fit into the answer; `tokenAfter`: the page token after so many of them. */
    readonly fitting: (memories: readonly StoredMemory[], tokenAfter: (count: number) => string) => number;
  },
  context: CallContext,
): Promise<{ readonly memories: StoredMemory[]; readonly nextPageToken: string }> {
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const request = canonicalJson([
    "memories",
    namespaceKey.tenant,
    namespaceKey.namespace,
    asJson(input.filter),
  ]);
  const after = input.pageToken === "" ? undefined : openPageToken(input.pageToken, request);
  const size = pageSizeOf(input.pageSize);
  // One more than the page size, to know whether there is a next page.
  const { deadline, signal } = context;
  const found = await ports.work.run({ tenant: namespaceKey.tenant, kind: "READ", deadline }, signal, () =>
    ports.memories.reader.list(namespaceKey, {
      filter: input.filter,
      ...(after === undefined ? {} : { after }),
      limit: size + 1,
      now: ports.clock.now(),
    }),
  );
  const tokenAfter = (count: number): string => {
    const last = found[count - 1];
    return count < found.length && last !== undefined ? sealPageToken(last, request) : "";
  };
  const count = input.fitting(found.slice(0, size), tokenAfter);
  return { memories: found.slice(0, count), nextPageToken: tokenAfter(count) };
}

function asJson(value: object): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
