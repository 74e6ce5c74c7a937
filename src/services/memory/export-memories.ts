import { namespaceKeyOf } from "../../domain/access/tenancy.ts";
import type { MemoryFilter } from "../../domain/memory/filter.ts";
import type { Memory } from "../../domain/memory/memory.ts";
import { openPageToken, sealPageToken } from "../../domain/page-token.ts";
import { canonicalJson, type Json } from "../../lib/json.ts";
import type { Clock } from "../../ports/clock.ts";
import type { MemoryExport } from "../../ports/memory/transfer.ts";
import type { WorkQueue } from "../../ports/work-queue.ts";
import type { CallContext } from "../call.ts";

/** Limits of one page read from the store: the memory that a stalled client occupies in the server. */
const PAGE_SIZE = 200;
const PAGE_BYTES = 64 * 1024;

/**
 * All memories that pass a filter, oldest first, each with the token that resumes after it. Reads one page at a time, on
 * demand. Rejects with PAGE_TOKEN_INVALID.
 */
export async function* exportMemories(
  ports: {
    readonly memories: { readonly exporter: MemoryExport };
    readonly clock: Clock;
    readonly work: WorkQueue;
  },
  input: {
    readonly namespace: string;
    readonly filter: MemoryFilter;
    /** Empty: from the beginning. */
    readonly resumeToken: string;
  },
  context: CallContext,
): AsyncGenerator<{ readonly memory: Memory; readonly resumeToken: string }> {
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const filter = JSON.parse(JSON.stringify(input.filter)) as Json;
  const request = canonicalJson(["export", namespaceKey.tenant, namespaceKey.namespace, filter]);
  let after =
    input.resumeToken === "" ? undefined : openPageToken(input.resumeToken, request, "resume_token");
  do {
    context.signal.throwIfAborted();
    const from = after === undefined ? {} : { after };
    const page = await ports.work.run(
      { tenant: namespaceKey.tenant, kind: "READ", deadline: context.deadline },
      context.signal,
      () =>
        ports.memories.exporter.listOldest(namespaceKey, {
          filter: input.filter,
          ...from,
          limit: PAGE_SIZE,
          maxBytes: PAGE_BYTES,
          now: ports.clock.now(),
        }),
    );
    for (const memory of page) yield { memory, resumeToken: sealPageToken(memory, request) };
    after = page.at(-1);
  } while (after !== undefined);
}
