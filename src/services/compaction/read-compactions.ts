import { type NamespaceKey, namespaceKeyOf } from "../../domain/access/tenancy.ts";
import { compactionNotFound } from "../../domain/errors.ts";
import { openPageToken, pageSizeOf, sealPageToken } from "../../domain/page-token.ts";
import { canonicalJson } from "../../lib/json.ts";
import type { Clock } from "../../ports/clock.ts";
import type { CompactionStore, StoredRun } from "../../ports/compaction/compaction-store.ts";
import type { MemoryReader } from "../../ports/memory/reader.ts";
import type { CallContext } from "../call.ts";
import { type GroupTexts, readTexts } from "./group-texts.ts";
import { MAX_GROUPS_BYTES } from "./start-compaction.ts";

/** Rejects with COMPACTION_NOT_FOUND. */
export async function existingRun(
  store: Pick<CompactionStore, "get">,
  namespaceKey: NamespaceKey,
  id: string,
): Promise<StoredRun> {
  const stored = await store.get(namespaceKey, id);
  if (stored === undefined) throw compactionNotFound(id);
  return stored;
}

export interface CompactionPage {
  readonly stored: StoredRun;
  readonly groups: readonly GroupTexts[];
  readonly nextPageToken: string;
}

/** A run with a page of its plan. Rejects with COMPACTION_NOT_FOUND or PAGE_TOKEN_INVALID. */
export async function getCompaction(
  ports: {
    readonly store: Pick<CompactionStore, "get" | "groups">;
    readonly memories: { readonly reader: Pick<MemoryReader, "get"> };
    readonly clock: Clock;
  },
  input: {
    readonly namespace: string;
    readonly id: string;
    /** See pageSizeOf. */
    readonly pageSize: number;
    /** Empty for the first page. */
    readonly pageToken: string;
  },
  context: CallContext,
): Promise<CompactionPage> {
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const { tenant, namespace } = namespaceKey;
  const request = canonicalJson(["compaction", tenant, namespace, input.id]);
  const after = input.pageToken === "" ? 0 : openPageToken(input.pageToken, request).createTime;
  const stored = await existingRun(ports.store, namespaceKey, input.id);
  // Until its planning is over, a run has groups that it does not count.
  const read = (
    await ports.store.groups(namespaceKey, input.id, {
      after,
      limit: pageSizeOf(input.pageSize),
      maxBytes: MAX_GROUPS_BYTES,
    })
  ).filter(({ number }) => number <= stored.run.groups);
  const groups = await readTexts(ports, namespaceKey, read, {
    shown: context.caller.roles.has("reader"),
    maxBytes: MAX_GROUPS_BYTES,
  });
  const last = groups.at(-1)?.group.number ?? stored.run.groups;
  return {
    stored,
    groups,
    nextPageToken: last < stored.run.groups ? sealPageToken({ createTime: last, id: input.id }, request) : "",
  };
}

/** A page of runs, newest first. Rejects with PAGE_TOKEN_INVALID. */
export async function listCompactions(
  ports: { readonly store: Pick<CompactionStore, "list"> },
  input: {
    readonly namespace: string;
    readonly pageSize: number;
    readonly pageToken: string;
    /** How many of the first runs fit into the response. */
    readonly fitting: (runs: readonly StoredRun[]) => number;
  },
  context: CallContext,
): Promise<{ readonly runs: readonly StoredRun[]; readonly nextPageToken: string }> {
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const request = canonicalJson(["compactions", namespaceKey.tenant, namespaceKey.namespace]);
  const after = input.pageToken === "" ? undefined : openPageToken(input.pageToken, request);
  const size = pageSizeOf(input.pageSize);
  const found = await ports.store.list(namespaceKey, {
    ...(after === undefined ? {} : { after }),
    limit: size + 1,
  });
  const runs = found.slice(0, input.fitting(found.slice(0, size)));
  const last = runs.at(-1)?.run;
  return {
    runs,
    nextPageToken: runs.length < found.length && last !== undefined ? sealPageToken(last, request) : "",
  };
}
