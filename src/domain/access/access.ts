import { RecollectError } from "../errors.ts";
import type { Caller, Role } from "./tenancy.ts";

/** What a caller must have for something. */
export interface Access {
  /** Any one of them is enough. */
  readonly roles: readonly [Role, ...Role[]];
  /** Whether the debug permission is needed beside it. */
  readonly debug?: true;
}

/**
 * Throws ROLE_MISSING unless the caller has what is needed. `what` names that which is refused, as metadata: the
 * method, or the field that asks for more than its method does.
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
