import type { Caller, Role } from "../../domain/tenancy.ts";
import type { IncomingCall, Middleware } from "../pipeline.ts";

/** Finds out who calls; throws CREDENTIAL_INVALID when nobody known does. */
export type Authenticator = (call: IncomingCall) => Caller;

const ALL_ROLES: ReadonlySet<Role> = new Set(["reader", "writer", "operator", "admin"]);

/** AUTH_MODE=none: everyone is `anonymous` of tenant `default` and may do everything. */
export const everyone: Authenticator = () => ANONYMOUS;

const ANONYMOUS: Caller = { tenant: "default", principal: "anonymous", roles: ALL_ROLES };

/** Tenant, principal and roles come from the credential alone, before the request is even read. */
export function authentication(authenticate: Authenticator): Middleware {
  return {
    name: "authentication",
    begin: (call) => {
      call.caller = authenticate(call);
      return undefined;
    },
  };
}
