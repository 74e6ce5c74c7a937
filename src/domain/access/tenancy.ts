/** All roles, in the order of messages and docs. */
export const ROLES = ["reader", "writer", "operator", "admin"] as const;

/** The permissions of a credential. A role does not include another: a key that reads and writes has both. */
export type Role = (typeof ROLES)[number];

/** The authenticated caller. Never made from fields of a request. */
export interface Caller {
  readonly tenant: string;
  /** The subject of the credential. */
  readonly principal: string;
  readonly roles: ReadonlySet<Role>;
  /** Whether it may read and change cache entries of all cache scopes of its tenant. */
  readonly debug: boolean;
}

/** Equal for all credentials of one caller. */
export type CallerName = Pick<Caller, "tenant" | "principal">;

/** The namespace of an operation. Every query needs one, and no query spans two. */
export interface NamespaceKey {
  readonly tenant: string;
  readonly namespace: string;
}

/** One name for a namespace in maps of this process. Unique: neither part contains a line end. */
export function mapKeyOf({ tenant, namespace }: NamespaceKey): string {
  return `${tenant}\n${namespace}`;
}

/** The namespace that an empty name refers to. */
export const DEFAULT_NAMESPACE = "default";

/** Namespaces a tenant may have. */
export const MAX_NAMESPACES = 100_000;

export function namespaceOf(request: { readonly namespace: string }): string {
  return request.namespace === "" ? DEFAULT_NAMESPACE : request.namespace;
}

export function namespaceKeyOf(caller: Pick<Caller, "tenant">, namespace: string): NamespaceKey {
  return { tenant: caller.tenant, namespace: namespaceOf({ namespace }) };
}
