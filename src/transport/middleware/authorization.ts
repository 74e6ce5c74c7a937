import type { DescMethod } from "@bufbuild/protobuf";
import { checkAccess } from "../../domain/access/access.ts";
import type { Caller } from "../../domain/access/tenancy.ts";
import { ACCESS_OF_METHOD } from "../authorization.ts";
import { methodPath } from "../handler.ts";
import type { Middleware } from "../pipeline.ts";

/** Throws ROLE_MISSING unless the caller may call the method. What has no row in the table may be called by nobody. */
export function authorize(caller: Caller, method: DescMethod): void {
  const access = ACCESS_OF_METHOD.get(method);
  if (access === undefined) throw new TypeError(`nothing says who may call ${methodPath(method)}`);
  checkAccess(caller, access, { method: methodPath(method) });
}

/** Asks the table in authorization.ts. Stands behind authentication; like it, needs nothing of the request. */
export const authorization: Middleware = {
  name: "authorization",
  arrive: (call) => {
    if (call.caller === undefined) throw new TypeError("authorization before authentication");
    authorize(call.caller, call.method);
  },
};
