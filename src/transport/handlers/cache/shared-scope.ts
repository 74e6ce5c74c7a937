import { checkAccess } from "../../../domain/access/access.ts";
import type { Caller } from "../../../domain/access/tenancy.ts";
import { ACCESS_TO_SHARED_SCOPE } from "../../authorization.ts";

/** Throws ROLE_MISSING when a cache scope is for the whole tenant (`shared`) and the caller may not act for it. */
export function checkSharedScope(caller: Caller, scope: { readonly shared: boolean }): void {
  if (scope.shared) checkAccess(caller, ACCESS_TO_SHARED_SCOPE, { field: "scope.shared" });
}
