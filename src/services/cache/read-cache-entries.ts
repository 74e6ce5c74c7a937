import type { CacheEntry } from "../../domain/cache/entry.ts";
import { cacheEntryNotFound } from "../../domain/errors.ts";
import { canonicalJson } from "../../domain/json.ts";
import { MAX_PAGE_BYTES, openPageToken, pageSizeOf, sealPageToken } from "../../domain/page-token.ts";
import { scopeOf } from "../../domain/tenancy.ts";
import type { CacheStore } from "../../ports/cache-store.ts";
import type { Clock } from "../../ports/clock.ts";
import type { CallContext } from "../call.ts";

/** One entry by id, of whatever answer scope. Rejects with CACHE_ENTRY_NOT_FOUND. */
export async function getCacheEntry(
  ports: { readonly store: Pick<CacheStore, "find">; readonly clock: Clock },
  input: { readonly namespace: string; readonly id: string },
  context: CallContext,
): Promise<CacheEntry> {
  const scope = scopeOf(context.caller, input.namespace);
  const entry = await ports.store.find(scope, input.id, ports.clock.now());
  if (entry === undefined) throw cacheEntryNotFound(scope.namespace, input.id);
  return entry;
}

/** A page of entries of all answer scopes, newest first. Rejects with PAGE_TOKEN_INVALID. */
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
  },
  context: CallContext,
): Promise<{ readonly entries: CacheEntry[]; readonly nextPageToken: string }> {
  const scope = scopeOf(context.caller, input.namespace);
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
    maxBytes: MAX_PAGE_BYTES,
    now: ports.clock.now(),
  });
  const last = entries.at(-1);
  return { entries, nextPageToken: more && last !== undefined ? sealPageToken(last, request) : "" };
}
