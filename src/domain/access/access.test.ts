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

/** The metadata of the error; undefined: access is granted. */
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
  it("requires one of the roles, and no role includes another", () => {
    const either: Access = { roles: ["reader", "operator"] };
    expect(lacking(caller(["reader"]), either)).toBeUndefined();
    expect(lacking(caller(["admin", "operator"]), either)).toBeUndefined();
    expect(lacking(caller(["admin", "writer"]), either)).toEqual({ method: "M", roles: "reader,operator" });
    expect(lacking(caller([]), either)).toEqual({ method: "M", roles: "reader,operator" });
  });

  it("requires the debug permission in addition to the role", () => {
    const debugging: Access = { roles: ["reader"], debug: true };
    expect(lacking(caller(["reader"], true), debugging)).toBeUndefined();
    expect(lacking(caller(["reader", "admin"]), debugging)).toEqual({ method: "M", permission: "debug" });
    expect(lacking(caller(["admin"], true), debugging)).toEqual({ method: "M", roles: "reader" });
  });
});
