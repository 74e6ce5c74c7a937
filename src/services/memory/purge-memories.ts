import { namespaceKeyOf } from "../../domain/access/tenancy.ts";
import type { MemoryFilter } from "../../domain/memory/filter.ts";
import type { Clock } from "../../ports/clock.ts";
import type { MemoryPurge } from "../../ports/memory/purge.ts";
import type { MemoryReader } from "../../ports/memory/reader.ts";
import { type CallContext, idempotentRequest } from "../call.ts";

/** Deletes what a filter matches, or only counts it. Resolves with how many. */
export async function purgeMemories(
  ports: {
    readonly memories: { readonly reader: Pick<MemoryReader, "count">; readonly purge: MemoryPurge };
    readonly clock: Clock;
  },
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
  const scope = namespaceKeyOf(context.caller, input.namespace);
  if (!input.force) return ports.memories.reader.count(scope, input.filter, now);
  const { requestId, ...body } = input;
  const request = idempotentRequest(context, "PurgeMemories", requestId, body, now);
  return ports.memories.purge.run(scope, input.filter, {
    now,
    ...(request === undefined ? {} : { request }),
  });
}
