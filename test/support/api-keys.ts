import { randomUUID } from "node:crypto";
import { hashOfKey } from "../../src/domain/access/api-keys.ts";
import type { Role } from "../../src/domain/access/tenancy.ts";

/** A key with the fields of its row. */
export interface TestKey {
  readonly key: string;
  readonly tenant: string;
  readonly principal: string;
  readonly roles: readonly Role[];
  readonly debug: boolean;
}

/** A new key; by default a reader and writer `app` of tenant `acme`. */
export function testKey(given: Partial<Omit<TestKey, "key">> = {}): TestKey {
  return {
    key: `test-${randomUUID()}`,
    tenant: "acme",
    principal: "app",
    roles: ["reader", "writer"],
    debug: false,
    ...given,
  };
}

/** The content of a key file with these keys. */
export function keysFile(keys: readonly TestKey[]): string {
  return keys
    .map(
      ({ key, tenant, principal, roles, debug }) =>
        `- sha256: ${hashOfKey(key).toString("hex")}\n  tenant: ${tenant}\n  principal: ${principal}\n` +
        `  roles: [${roles.join(", ")}]\n${debug ? "  debug: true\n" : ""}`,
    )
    .join("");
}
