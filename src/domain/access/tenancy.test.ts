import { describe, expect, it } from "vitest";
import { type Caller, DEFAULT_NAMESPACE, namespaceKeyOf, namespaceOf } from "./tenancy.ts";

const CALLER: Caller = { tenant: "acme", principal: "key-1", roles: new Set(["reader"]), debug: false };

describe("scopeOf", () => {
  it("takes the tenant from the caller and the namespace from the request", () => {
    expect(namespaceKeyOf(CALLER, "notes")).toEqual({ tenant: "acme", namespace: "notes" });
  });

  it("means the default namespace by an empty name", () => {
    expect(namespaceKeyOf(CALLER, "")).toEqual({ tenant: "acme", namespace: DEFAULT_NAMESPACE });
    expect(namespaceKeyOf(CALLER, "")).toEqual(namespaceKeyOf(CALLER, "default"));
  });

  it("is one place for all principals of a tenant", () => {
    const other: Caller = { ...CALLER, principal: "key-2", roles: new Set() };
    expect(namespaceKeyOf(other, "notes")).toEqual(namespaceKeyOf(CALLER, "notes"));
  });
});

describe("namespaceOf", () => {
  it("keeps a given name and fills in an empty one", () => {
    expect([namespaceOf({ namespace: "a" }), namespaceOf({ namespace: "" })]).toEqual(["a", "default"]);
  });
});
