import { type Caller, ROLES } from "../../domain/access/tenancy.ts";
import { RecollectError } from "../../domain/errors.ts";
import type { ApiKeys } from "../../ports/api-keys.ts";
import type { IncomingCall, Middleware } from "../pipeline.ts";

/** The caller of a call; throws CREDENTIAL_INVALID for a missing or unknown credential. */
export type Authenticator = (call: Pick<IncomingCall, "header">) => Caller;

const ANONYMOUS: Caller = {
  tenant: "default",
  principal: "anonymous",
  roles: new Set(ROLES),
  debug: true,
};

/** AUTH_MODE=none: every caller is `anonymous` of tenant `default` and may do everything. */
export const anonymousAuthenticator: Authenticator = () => ANONYMOUS;

/** RFC 6750; the name of a scheme is case-insensitive (RFC 9110, 11.1). */
const BEARER = /^bearer +(\S+) *$/i;

/** AUTH_MODE=api_keys: the owner of the key in `authorization: Bearer <key>`. */
export function apiKeyAuthenticator(keys: Pick<ApiKeys, "callerOf">): Authenticator {
  return (call) => {
    const [, key] = BEARER.exec(call.header("authorization") ?? "") ?? [];
    if (key === undefined) throw invalid("no API key: send the header `authorization: Bearer <API key>`");
    const caller = keys.callerOf(key);
    if (caller === undefined) throw invalid("the API key is unknown or was removed");
    return caller;
  };
}

/** Sets tenant, principal and roles from the credential alone, before the request is read. */
export function authentication(authenticate: Authenticator): Middleware {
  return {
    name: "authentication",
    arrive: (call) => {
      call.caller = authenticate(call);
    },
  };
}

function invalid(message: string): RecollectError {
  return new RecollectError("CREDENTIAL_INVALID", message);
}
