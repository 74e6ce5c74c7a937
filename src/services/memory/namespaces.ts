import { RecollectError } from "../../domain/errors.ts";
import { pageSizeOf } from "../../domain/page-token.ts";
import { scopeOf } from "../../domain/tenancy.ts";
import type { Clock } from "../../ports/clock.ts";
import type { NamespaceCounts, NamespaceStore } from "../../ports/namespace-store.ts";
import { type CallContext, idempotentRequest } from "../call.ts";

/** A page of the tenant's namespaces, by name. The page token is the last name of the page before, as base64url. */
export async function listNamespaces(
  ports: { readonly namespaces: Pick<NamespaceStore, "list"> },
  input: { readonly pageSize: number; readonly pageToken: string },
  context: CallContext,
): Promise<{ readonly names: string[]; readonly nextPageToken: string }> {
  const after = input.pageToken === "" ? "" : openToken(input.pageToken);
  const size = pageSizeOf(input.pageSize);
  const found = await ports.namespaces.list(context.caller.tenant, { after, limit: size + 1 });
  const names = found.slice(0, size);
  const last = names.at(-1);
  const nextPageToken =
    found.length > size && last !== undefined ? Buffer.from(`1${last}`).toString("base64url") : "";
  return { names, nextPageToken };
}

/** What a namespace holds. */
export function getNamespaceStats(
  ports: { readonly namespaces: Pick<NamespaceStore, "counts"> },
  input: { readonly namespace: string },
  context: CallContext,
): Promise<NamespaceCounts> {
  return ports.namespaces.counts(scopeOf(context.caller, input.namespace));
}

/** Deletes a namespace with everything in it, or only counts that. */
export function deleteNamespace(
  ports: { readonly namespaces: Pick<NamespaceStore, "counts" | "delete">; readonly clock: Clock },
  input: { readonly namespace: string; readonly force: boolean; readonly requestId?: string },
  context: CallContext,
): Promise<NamespaceCounts> {
  const scope = scopeOf(context.caller, input.namespace);
  if (!input.force) return ports.namespaces.counts(scope);
  const now = ports.clock.now();
  const { requestId, ...body } = input;
  const request = idempotentRequest(context, "DeleteNamespace", requestId, body, now);
  return ports.namespaces.delete(scope, { now, ...(request === undefined ? {} : { request }) });
}

function openToken(token: string): string {
  const name = /^1([a-z0-9][a-z0-9._-]{0,62})$/.exec(Buffer.from(token, "base64url").toString("utf8"))?.[1];
  if (name === undefined) {
    throw new RecollectError("PAGE_TOKEN_INVALID", "page_token: not a page token", {
      metadata: { field: "page_token" },
      violations: [{ field: "page_token", description: "not a page token" }],
    });
  }
  return name;
}
