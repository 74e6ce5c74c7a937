import { namespaceKeyOf } from "../../domain/access/tenancy.ts";
import type { CacheEntry } from "../../domain/cache/entry.ts";
import { cacheEntryNotFound } from "../../domain/errors.ts";
import { openPageToken, pageSizeOf, sealPageToken } from "../../domain/page-token.ts";
import { canonicalJson } from "../../lib/json.ts";
import type { CacheStore } from "../../ports/cache/cache-store.ts";
import type { Clock } from "../../ports/clock.ts";
import type { CallContext } from "../call.ts";

/** One entry by id, of whatever cache scope. Rejects with CACHE_ENTRY_NOT_FOUND. */
export async function getCacheEntry(
  ports: { readonly store: Pick<CacheStore, "lookup">; readonly clock: Clock },
  input: { readonly namespace: string; readonly id: string },
  context: CallContext,
): Promise<CacheEntry> {
  const scope = namespaceKeyOf(context.caller, input.namespace);
  const { exact } = await ports.store.lookup(scope, { id: input.id }, ports.clock.now());
  if (exact === undefined) throw cacheEntryNotFound(scope.namespace, input.id);
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
    /** No more is read than so many bytes of entries, as they count in GetCacheStats. */
    readonly maxBytes: number;
    /** How many of the first entries have room in the answer, given the token behind so many of them. */
    readonly fitting: (entries: readonly CacheEntry[], tokenBehind: (kept: number) => string) => number;
  },
  context: CallContext,
): Promise<{ readonly entries: CacheEntry[]; readonly nextPageToken: string }> {
  const scope = namespaceKeyOf(context.caller, input.namespace);
  const { model, tagsAny } = input;
  const request = canonicalJson([
    "cache entries",
    scope.tenant,
    scope.namespace,
    model ?? null,
    // One set of tags is one request, in whatever order they come.
    tagsAny === undefined ? null : [...tagsAny].sort(),
  ]);
  const after = input.pageToken === "" ? undefined : openPageToken(input.pageToken, request);
  const { entries, more } = await ports.store.list(scope, {
    ...(model === undefined ? {} : { model }),
    ...(tagsAny === undefined ? {} : { tagsAny }),
    ...(after === undefined ? {} : { after }),
    limit: pageSizeOf(input.pageSize),
    maxBytes: input.maxBytes,
    now: ports.clock.now(),
  });
  const tokenBehind = (kept: number): string => {
    const last = entries[kept - 1];
    return (more || kept < entries.length) && last !== undefined ? sealPageToken(last, request) : "";
  };
  const kept = input.fitting(entries, tokenBehind);
  return { entries: entries.slice(0, kept), nextPageToken: tokenBehind(kept) };
}
