import { namespaceKeyOf } from "../../domain/access/tenancy.ts";
import { openPageToken, pageSizeOf, sealPageToken } from "../../domain/page-token.ts";
import { canonicalJson } from "../../lib/json.ts";
import type { Clock } from "../../ports/clock.ts";
import type { NamespaceCounts, NamespaceStore } from "../../ports/namespace-store.ts";
import { type CallContext, idempotentRequest } from "../call.ts";

/** A page of the tenant's namespaces, by name. Rejects with PAGE_TOKEN_INVALID. */
export async function listNamespaces(
  ports: { readonly namespaces: Pick<NamespaceStore, "list"> },
  input: { readonly pageSize: number; readonly pageToken: string },
  context: CallContext,
): Promise<{ readonly names: string[]; readonly nextPageToken: string }> {
  const request = canonicalJson(["namespaces", context.caller.tenant]);
  const after = input.pageToken === "" ? "" : openPageToken(input.pageToken, request).id;
  const size = pageSizeOf(input.pageSize);
  const found = await ports.namespaces.list(context.caller.tenant, { after, limit: size + 1 });
  const names = found.slice(0, size);
  const last = names.at(-1);
  // The order is by name alone; a namespace has no time.
  const nextPageToken =
    found.length > size && last !== undefined ? sealPageToken({ createTime: 0, id: last }, request) : "";
  return { names, nextPageToken };
}

/** What a namespace holds. */
export function getNamespaceStats(
  ports: { readonly namespaces: Pick<NamespaceStore, "counts"> },
  input: { readonly namespace: string },
  context: CallContext,
): Promise<NamespaceCounts> {
  return ports.namespaces.counts(namespaceKeyOf(context.caller, input.namespace));
}

/** Deletes a namespace with everything in it, or only counts that. */
export function deleteNamespace(
  ports: { readonly namespaces: Pick<NamespaceStore, "counts" | "delete">; readonly clock: Clock },
  input: { readonly namespace: string; readonly force: boolean; readonly requestId?: string },
  context: CallContext,
): Promise<NamespaceCounts> {
  const scope = namespaceKeyOf(context.caller, input.namespace);
  if (!input.force) return ports.namespaces.counts(scope);
  const now = ports.clock.now();
  const { requestId, ...body } = input;
  const request = idempotentRequest(context, "DeleteNamespace", requestId, body, now);
  return ports.namespaces.delete(scope, { now, ...(request === undefined ? {} : { request }) });
}
