import { namespaceKeyOf } from "../../domain/access/tenancy.ts";
import { memoryNotFound } from "../../domain/errors.ts";
import type { MemoryRevision } from "../../domain/memory/revision.ts";
import { openPageToken, pageSizeOf, sealPageToken } from "../../domain/page-token.ts";
import { canonicalJson } from "../../lib/json.ts";
import type { Clock } from "../../ports/clock.ts";
import type { MemoryRevisions } from "../../ports/memory/revisions.ts";
import type { WorkQueue } from "../../ports/work-queue.ts";
import type { CallContext } from "../call.ts";

/** A page of the revisions of a memory, newest first. Rejects with MEMORY_NOT_FOUND or PAGE_TOKEN_INVALID. */
export async function listMemoryRevisions(
  ports: {
    readonly memories: { readonly revisions: MemoryRevisions };
    readonly clock: Clock;
    readonly work: WorkQueue;
  },
  input: {
    readonly namespace: string;
    readonly id: string;
    /** See pageSizeOf. */
    readonly pageSize: number;
    /** Empty for the first page. */
    readonly pageToken: string;
    /** Bytes that the store reads at most, as it has them. */
    readonly maxBytes: number;
    /** How many of the first revisions fit into the answer; `tokenAfter`: the page token after so many of them. */
    readonly fitting: (revisions: readonly MemoryRevision[], tokenAfter: (count: number) => string) => number;
  },
  context: CallContext,
): Promise<{ readonly revisions: readonly MemoryRevision[]; readonly nextPageToken: string }> {
  const { id, maxBytes } = input;
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const request = canonicalJson(["revisions", namespaceKey.tenant, namespaceKey.namespace, id]);
  const after = input.pageToken === "" ? undefined : openPageToken(input.pageToken, request);
  const { deadline, signal } = context;
  const page = await ports.work.run({ tenant: namespaceKey.tenant, kind: "READ", deadline }, signal, () =>
    ports.memories.revisions.list(namespaceKey, id, {
      ...(after === undefined ? {} : { before: after.createTime }),
      limit: pageSizeOf(input.pageSize),
      maxBytes,
      now: ports.clock.now(),
    }),
  );
  if (page === undefined) throw memoryNotFound(namespaceKey.namespace, id);
  const { revisions, more } = page;
  const tokenAfter = (count: number): string => {
    const last = revisions[count - 1];
    if (last === undefined || (count === revisions.length && !more)) return "";
    // The number is where tokens of other lists have a time.
    return sealPageToken({ createTime: last.number, id }, request);
  };
  const count = input.fitting(revisions, tokenAfter);
  return { revisions: revisions.slice(0, count), nextPageToken: tokenAfter(count) };
}
