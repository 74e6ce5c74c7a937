import { RecollectError } from "../errors.ts";
import type { Caller, Role } from "./tenancy.ts";

/** The roles and permissions that a method or field requires. */
export interface Access {
  /** One of them is enough. */
  readonly roles: readonly [Role, ...Role[]];
  /** Whether the debug permission is required too. */
  readonly debug?: true;
}

/**
 * Throws ROLE_MISSING unless the caller has the access. `what` is the metadata of the error: the method, or the field that
 * requires more than its method.
 */
export function checkAccess(
  caller: Caller,
  { roles, debug }: Access,
  what: Readonly<Record<string, string>>,
): void {
  if (!roles.some((role) => caller.roles.has(role))) {
    const needed = roles.join(" or ");
    throw new RecollectError("ROLE_MISSING", `${Object.values(what).join(" ")} needs the role ${needed}`, {
      metadata: { ...what, roles: roles.join(",") },
    });
  }
  if (debug === true && !caller.debug) {
    throw new RecollectError("ROLE_MISSING", `${Object.values(what).join(" ")} needs the permission debug`, {
      metadata: { ...what, permission: "debug" },
    });
  }
}
