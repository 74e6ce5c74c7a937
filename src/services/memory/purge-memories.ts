import { type NamespaceKey, namespaceKeyOf } from "../../domain/access/tenancy.ts";
import { type MemoryFilter, matchesFilter } from "../../domain/memory/filter.ts";
import type { Clock } from "../../ports/clock.ts";
import type { MemoryPurge } from "../../ports/memory/purge.ts";
import type { ListPosition, MemoryReader } from "../../ports/memory/reader.ts";
import { type CallContext, idempotentRequest } from "../call.ts";
import { type EraseFromSummary, summaryOfSource } from "../compaction/erase-sources.ts";

interface PurgePorts {
  readonly memories: {
    readonly reader: Pick<MemoryReader, "count" | "list" | "get">;
    readonly purge: MemoryPurge;
  };
  readonly eraseFromSummary: EraseFromSummary;
  readonly clock: Clock;
}

/** Memories read at once. */
const PAGE_SIZE = 200;

/**
 * Deletes the memories that pass a filter, or (without `force`) only counts them. Resolves with their number. Summaries that
 * were made of them are made again without them before.
 */
export async function purgeMemories(
  ports: PurgePorts,
  input: {
    readonly namespace: string;
    readonly filter: MemoryFilter;
    /** False: count only. */
    readonly force: boolean;
    readonly requestId?: string;
  },
  context: CallContext,
): Promise<number> {
  const now = ports.clock.now();
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  if (!input.force) return ports.memories.reader.count(namespaceKey, input.filter, now);
  const { requestId, ...body } = input;
  const request = idempotentRequest(context, "PurgeMemories", requestId, body, now);
  await eraseFromSummaries(ports, namespaceKey, input.filter, now, context.signal);
  return ports.memories.purge.run(namespaceKey, input.filter, {
    now,
    ...(request === undefined ? {} : { request }),
  });
}

/** Sources of summaries are ARCHIVED. A summary that passes the filter too is deleted with them. */
async function eraseFromSummaries(
  { memories, eraseFromSummary }: PurgePorts,
  namespaceKey: NamespaceKey,
  filter: MemoryFilter,
  now: number,
  signal: AbortSignal,
): Promise<void> {
  if (!filter.states.includes("ARCHIVED")) return;
  const sources = new Map<string, Set<string>>();
  let after: ListPosition | undefined;
  do {
    signal.throwIfAborted();
    const from: { readonly after?: ListPosition } = after === undefined ? {} : { after };
    const archived: MemoryFilter = { ...filter, states: ["ARCHIVED"] };
    const page = await memories.reader.list(namespaceKey, {
      filter: archived,
      ...from,
      limit: PAGE_SIZE,
      now,
    });
    for (const memory of page) {
      const summaryId = summaryOfSource(memory);
      if (summaryId === undefined) continue;
      const ids = sources.get(summaryId) ?? new Set();
      sources.set(summaryId, ids.add(memory.id));
    }
    after = page.at(-1);
  } while (after !== undefined);
  for (const [summaryId, ids] of sources) {
    const [summary] = await memories.reader.get(namespaceKey, [summaryId], now);
    if (summary !== undefined && !matchesFilter(summary, filter, now)) {
      await eraseFromSummary(namespaceKey, summaryId, ids, signal);
    }
  }
}
