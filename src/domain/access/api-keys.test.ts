import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { callerOfKey, hashOfKey, type KeyRow, toApiKeys } from "./api-keys.ts";

const sha256 = (key: string): string => createHash("sha256").update(key).digest("hex");
const row = (given: object = {}, line = 1): KeyRow => ({
  line,
  value: { sha256: sha256(`key ${line}`), tenant: "acme", principal: "app", roles: ["reader"], ...given },
});

describe("toApiKeys", () => {
  it("accepts rows with tenant, principal, roles and the debug permission", () => {
    const { keys, problems } = toApiKeys([row(), row({ roles: ["writer", "admin"], debug: "true" }, 2)]);
    expect(problems).toEqual([]);
    expect(keys.map(({ caller }) => caller)).toEqual([
      { tenant: "acme", principal: "app", roles: new Set(["reader"]), debug: false },
      { tenant: "acme", principal: "app", roles: new Set(["writer", "admin"]), debug: true },
    ]);
    expect(keys[0]?.sha256).toEqual(hashOfKey("key 1"));
  });

  it.each([
    ["no hash", { sha256: undefined }],
    ["a key in the place of its hash", { sha256: "the-key-itself" }],
    ["a hash that is too short", { sha256: "ab" }],
    ["a tenant in capitals", { tenant: "Acme" }],
    ["a tenant of 64 characters", { tenant: "a".repeat(64) }],
    ["no tenant", { tenant: "" }],
    ["a principal with a space", { principal: "an app" }],
    ["a principal of 129 characters", { principal: "a".repeat(129) }],
    ["no roles", { roles: [] }],
    ["a role alone", { roles: "reader" }],
    ["an unknown role", { roles: ["reader", "owner"] }],
    ["a debug that is neither", { debug: "yes" }],
    ["an unknown field", { role: "reader" }],
  ])("refuses %s, by its line, in one problem", (_name, given) => {
    const { keys, problems } = toApiKeys([row(), row(given, 7)]);
    expect(keys).toEqual([]);
    expect(problems).toEqual([expect.stringMatching(/^line 7: /)]);
  });

  it.each([["a text"], [null], [["a", "list"]]])("refuses a row that is %j", (value) => {
    expect(toApiKeys([{ line: 3, value }]).problems).toEqual([expect.stringMatching(/^line 3: /)]);
  });

  it("refuses a file without rows, and a hash that occurs twice, in any case", () => {
    expect(toApiKeys([]).problems).toHaveLength(1);
    const twice = toApiKeys([row(), row({ sha256: sha256("key 1").toUpperCase() }, 9)]);
    expect(twice.problems).toEqual([expect.stringMatching(/^line 9: .*line 1\b/)]);
  });

  it("reports all problems at once, and never quotes a row", () => {
    const secret = "xyzzy secret";
    const { problems } = toApiKeys([
      row(
        { sha256: secret, tenant: secret, principal: secret, roles: [secret], debug: secret, [secret]: "" },
        4,
      ),
      { line: 12, value: secret },
    ]);
    expect(problems).toHaveLength(7);
    expect(problems.join("\n")).not.toContain("xyzzy");
  });
});

describe("callerOfKey", () => {
  const { keys } = toApiKeys([row(), row({ tenant: "other" }, 2), row({ principal: "last" }, 3)]);

  it("returns the caller of a key in any row, as the same object each time", () => {
    for (const [index, { caller }] of keys.entries()) {
      expect(callerOfKey(keys, `key ${index + 1}`)).toBe(caller);
    }
  });

  it("returns no caller for other keys", () => {
    fc.assert(
      fc.property(fc.string(), (key) => {
        fc.pre(!/^key [123]$/.test(key));
        expect(callerOfKey(keys, key)).toBeUndefined();
      }),
    );
    expect(callerOfKey(keys, sha256("key 1"))).toBeUndefined();
    expect(callerOfKey([], "key 1")).toBeUndefined();
  });
});
