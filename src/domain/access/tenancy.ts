/** Every role, in the order in which they are listed to people. */
export const ROLES = ["reader", "writer", "operator", "admin"] as const;

/** What a credential may do. A role does not include another: a key that reads and writes has both. */
export type Role = (typeof ROLES)[number];

/** Who calls. Made by authentication, never from a request. */
export interface Caller {
  readonly tenant: string;
  /** The subject of the credential. */
  readonly principal: string;
  readonly roles: ReadonlySet<Role>;
  /** Whether it may see and change what others of its tenant keep apart: cache entries of all cache scopes. */
  readonly debug: boolean;
}

/** As whom a caller asks: the same for all of its credentials. */
export type CallerName = Pick<Caller, "tenant" | "principal">;

/** Where an operation takes place. No query can be built without one, and none spans two. */
export interface NamespaceKey {
  readonly tenant: string;
  readonly namespace: string;
}

/** The namespace an empty name means. */
export const DEFAULT_NAMESPACE = "default";

/** Namespaces a tenant may have. */
export const MAX_NAMESPACES = 100_000;

export function namespaceOf(request: { readonly namespace: string }): string {
  return request.namespace === "" ? DEFAULT_NAMESPACE : request.namespace;
}

export function namespaceKeyOf(caller: Pick<Caller, "tenant">, namespace: string): NamespaceKey {
  return { tenant: caller.tenant, namespace: namespaceOf({ namespace }) };
}
