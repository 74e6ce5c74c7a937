import { namespaceKeyOf } from "../../domain/access/tenancy.ts";
import type { MemoryFilter } from "../../domain/memory/filter.ts";
import type { Memory } from "../../domain/memory/memory.ts";
import { openPageToken, sealPageToken } from "../../domain/page-token.ts";
import { canonicalJson, type Json } from "../../lib/json.ts";
import type { Clock } from "../../ports/clock.ts";
import type { MemoryExport } from "../../ports/memory/transfer.ts";
import type { WorkQueue } from "../../ports/work-queue.ts";
import type { CallContext } from "../call.ts";

/** Memories read from the store at once, and their bytes: a reader that stops reading holds so much of the server. */
const PAGE_SIZE = 200;
const PAGE_BYTES = 64 * 1024;

/**
 * All memories that pass a filter, oldest first, each with the token that goes on behind it. Holds one page at a time
 * and reads the next when it is asked for. Rejects with PAGE_TOKEN_INVALID.
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
    /** Empty to begin. */
    readonly resumeToken: string;
  },
  context: CallContext,
): AsyncGenerator<{ readonly memory: Memory; readonly resumeToken: string }> {
  const scope = namespaceKeyOf(context.caller, input.namespace);
  const filter = JSON.parse(JSON.stringify(input.filter)) as Json;
  const request = canonicalJson(["export", scope.tenant, scope.namespace, filter]);
  let after =
    input.resumeToken === "" ? undefined : openPageToken(input.resumeToken, request, "resume_token");
  do {
    context.signal.throwIfAborted();
    const from = after === undefined ? {} : { after };
    const page = await ports.work.run(
      { tenant: scope.tenant, kind: "READ", deadline: context.deadline },
      context.signal,
      () =>
        ports.memories.exporter.listOldest(scope, {
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
