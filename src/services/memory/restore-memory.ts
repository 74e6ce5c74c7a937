import { namespaceKeyOf } from "../../domain/access/tenancy.ts";
import { memoryAlreadyActive, memoryChanged, memoryNotFound, revisionNotFound } from "../../domain/errors.ts";
import type { StoredMemory } from "../../domain/memory/memory.ts";
import { type RevisedMemory, refuseExpired } from "../../domain/memory/revision.ts";
import { draftOf } from "../../domain/memory/update.ts";
import type { MemoryRevisions } from "../../ports/memory/revisions.ts";
import type { CallContext } from "../call.ts";
import { type ReplaceMemoryPorts, replaceMemory } from "./update-memory.ts";

export interface RestoreMemoryInput {
  readonly namespace: string;
  readonly id: string;
  /** 0: the present content. */
  readonly revision: number;
  /** Empty: any. */
  readonly etag: string;
  readonly requestId?: string;
}

/**
 * Writes the content of a revision as a new, ACTIVE version of a memory. Rejects with MEMORY_NOT_FOUND, REVISION_NOT_FOUND,
 * MEMORY_ALREADY_ACTIVE (no revision is named), ETAG_MISMATCH, or REQUEST_INVALID when the expire time of the revision has
 * passed.
 */
export async function restoreMemory(
  ports: ReplaceMemoryPorts & { readonly memories: { readonly revisions: MemoryRevisions } },
  input: RestoreMemoryInput,
  context: CallContext,
): Promise<StoredMemory> {
  const { namespace, id, revision, etag } = input;
  const namespaceKey = namespaceKeyOf(context.caller, namespace);
  const contentOf = async (current: StoredMemory, now: number): Promise<RevisedMemory> => {
    if (revision === 0) {
      if (current.state === "ACTIVE") throw memoryAlreadyActive(id);
      return current;
    }
    const only = { before: revision + 1, limit: 1, maxBytes: 0, now };
    const page = await ports.memories.revisions.list(namespaceKey, id, only);
    if (page === undefined) throw memoryNotFound(namespaceKey.namespace, id);
    const [found] = page.revisions;
    if (found?.number !== revision) throw revisionNotFound(id, revision);
    return found.memory;
  };
  return replaceMemory(
    ports,
    { rpc: "RestoreMemory", change: "RESTORED", ...input },
    context,
    async (current, now) => {
      if (etag !== "" && etag !== current.etag) throw memoryChanged(id, current.etag);
      const content = await contentOf(current, now);
      refuseExpired(content, now);
      return { draft: draftOf(content), state: "ACTIVE", supersededBy: "" };
    },
  );
}
