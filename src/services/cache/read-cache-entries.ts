import { namespaceKeyOf } from "../../domain/access/tenancy.ts";
import type { CacheEntry } from "../../domain/cache/entry.ts";
import { cacheEntryNotFound } from "../../domain/errors.ts";
import { openPageToken, pageSizeOf, sealPageToken } from "../../domain/page-token.ts";
import { canonicalJson } from "../../lib/json.ts";
import type { CacheStore } from "../../ports/cache/cache-store.ts";
import type { Clock } from "../../ports/clock.ts";
import type { CallContext } from "../call.ts";

/** One entry by id, of any cache scope. Rejects with CACHE_ENTRY_NOT_FOUND. */
export async function getCacheEntry(
  ports: { readonly store: Pick<CacheStore, "lookup">; readonly clock: Clock },
  input: { readonly namespace: string; readonly id: string },
  context: CallContext,
): Promise<CacheEntry> {
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const { exact } = await ports.store.lookup(namespaceKey, { id: input.id }, ports.clock.now());
  if (exact === undefined) throw cacheEntryNotFound(namespaceKey.namespace, input.id);
  return exact;
}

/** A page of entries of all cache scopes, newest first. Rejects with PAGE_TOKEN_INVALID. */
export async function listCacheEntries(
  ports: { readonly store: Pick<CacheStore, "list">; readonly clock: Clock },
  input: {
    readonly namespace: string;
    readonly model?: string;
    readonly tagsAny?: readonly string[];
    /** See pageSizeOf. */
    readonly pageSize: number;
    /** Empty for the first page. */
    readonly pageToken: string;
    /** Most bytes of entries to read (see entryBytes). */
    readonly maxBytes: number;
    /** How many of the first entries fit into the answer; `tokenAfter`: the page token after so many of them. */
    readonly fitting: (entries: readonly CacheEntry[], tokenAfter: (count: number) => string) => number;
  },
  context: CallContext,
): Promise<{ readonly entries: CacheEntry[]; readonly nextPageToken: string }> {
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const { model, tagsAny } = input;
  const request = canonicalJson([
    "cache entries",
    namespaceKey.tenant,
    namespaceKey.namespace,
    model ?? null,
    // The order of tags does not matter.
    tagsAny === undefined ? null : [...tagsAny].sort(),
  ]);
  const after = input.pageToken === "" ? undefined : openPageToken(input.pageToken, request);
  const { entries, more } = await ports.store.list(namespaceKey, {
    ...(model === undefined ? {} : { model }),
    ...(tagsAny === undefined ? {} : { tagsAny }),
    ...(after === undefined ? {} : { after }),
    limit: pageSizeOf(input.pageSize),
    maxBytes: input.maxBytes,
    now: ports.clock.now(),
  });
  const tokenAfter = (count: number): string => {
    const last = entries[count - 1];
    return (more || count < entries.length) && last !== undefined ? sealPageToken(last, request) : "";
  };
  const count = input.fitting(entries, tokenAfter);
  return { entries: entries.slice(0, count), nextPageToken: tokenAfter(count) };
}
