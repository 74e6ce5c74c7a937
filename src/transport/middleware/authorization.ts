import type { DescMethod } from "@bufbuild/protobuf";
import { checkAccess } from "../../domain/access/access.ts";
import type { Caller } from "../../domain/access/tenancy.ts";
import { ACCESS_OF_METHOD, ACCESS_TO_SHARED_SCOPE } from "../authorization.ts";
import { methodPath } from "../handler.ts";
import type { Middleware } from "../pipeline.ts";

/** Throws ROLE_MISSING unless the caller may call the method, and TypeError for a method without a row in the table. */
export function authorize(caller: Caller, method: DescMethod): void {
  const access = ACCESS_OF_METHOD.get(method);
  if (access === undefined) throw new TypeError(`no access rule for ${methodPath(method)}`);
  checkAccess(caller, access, { method: methodPath(method) });
}

/** Throws ROLE_MISSING unless the caller may share answers with the whole tenant, when the scope asks for that. */
export function authorizeScope(caller: Caller, scope: { readonly shared: boolean }): void {
  if (scope.shared) checkAccess(caller, ACCESS_TO_SHARED_SCOPE, { field: "scope.shared" });
}

/** Checks the caller against the table in authorization.ts. Comes after authentication; needs no request message. */
export const authorization: Middleware = {
  name: "authorization",
  arrive: (call) => {
    if (call.caller === undefined) throw new TypeError("authorization before authentication");
    authorize(call.caller, call.method);
  },
};
