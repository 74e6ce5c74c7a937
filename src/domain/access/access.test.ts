import { describe, expect, it } from "vitest";
import { RecollectError } from "../errors.ts";
import { type Access, checkAccess } from "./access.ts";
import type { Caller, Role } from "./tenancy.ts";

const caller = (roles: readonly Role[], debug = false): Caller => ({
  tenant: "t",
  principal: "p",
  roles: new Set(roles),
  debug,
});

/** What the caller is told to lack; undefined when nothing. */
function lacking(one: Caller, access: Access): object | undefined {
  try {
    checkAccess(one, access, { method: "M" });
    return undefined;
  } catch (error) {
    if (!(error instanceof RecollectError) || error.reason !== "ROLE_MISSING") throw error;
    return error.detail.metadata;
  }
}

describe("checkAccess", () => {
  it("asks for any one of the roles, and no role stands for another", () => {
    const either: Access = { roles: ["reader", "operator"] };
    expect(lacking(caller(["reader"]), either)).toBeUndefined();
    expect(lacking(caller(["admin", "operator"]), either)).toBeUndefined();
    expect(lacking(caller(["admin", "writer"]), either)).toEqual({ method: "M", roles: "reader,operator" });
    expect(lacking(caller([]), either)).toEqual({ method: "M", roles: "reader,operator" });
  });

  it("asks for the debug permission beside the role, which it does not replace", () => {
    const debugging: Access = { roles: ["reader"], debug: true };
    expect(lacking(caller(["reader"], true), debugging)).toBeUndefined();
    expect(lacking(caller(["reader", "admin"]), debugging)).toEqual({ method: "M", permission: "debug" });
    expect(lacking(caller(["admin"], true), debugging)).toEqual({ method: "M", roles: "reader" });
  });
});
