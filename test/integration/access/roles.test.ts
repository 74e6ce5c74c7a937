import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { DescMethod } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { CompactionService } from "#gen/recollect/v1/compaction_pb.js";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { OperationsService } from "#gen/recollect/v1/operations_pb.js";
import type { Access } from "../../../src/domain/access/access.ts";
import { ROLES, type Role } from "../../../src/domain/access/tenancy.ts";
import { ACCESS_OF_METHOD } from "../../../src/transport/authorization.ts";
import { methodPath } from "../../../src/transport/handler.ts";
import { testKey } from "../../support/api-keys.ts";
import { callMethod, type Transports, transportsOf } from "../../support/call-method.ts";
import { type Refusal, refusalOf, toRefusal } from "../../support/errors.ts";
import { startApp, type TestApp } from "../../support/start-app.ts";

const METHODS: readonly DescMethod[] = [
  MemoryService,
  CacheService,
  CompactionService,
  OperationsService,
].flatMap(({ methods }) => [...methods]);

/** The roles of each method according to docs/security.md, independent of the code. */
async function documentedAccess(): Promise<Map<string, Access>> {
  const page = await readFile(join(import.meta.dirname, "..", "..", "..", "docs", "security.md"), "utf8");
  const documented = new Map<string, Access>();
  let service = "";
  for (const line of page.split("\n")) {
    const [, first = "", second = ""] = /^\| (\w+) \| ([^|]+) \|$/.exec(line) ?? [];
    if (second === "needs") service = first;
    else if (!line.startsWith("|")) service = "";
    else if (service !== "" && first !== "")
      documented.set(`/recollect.v1.${service}/${first}`, toAccess(second));
  }
  return documented;
}

function toAccess(text: string): Access {
  const [roles = "", debug] = text.split(", with ");
  return {
    roles: roles.split(" or ") as [Role, ...Role[]],
    ...(debug === "debug" ? { debug: true as const } : {}),
  };
}

describe("authorization by role", () => {
  const keys = ["acme", "other"].flatMap((tenant) =>
    ROLES.flatMap((role) =>
      [false, true].map((debug) => testKey({ tenant, principal: `${role}-${debug}`, roles: [role], debug })),
    ),
  );
  const reader = testKey({ principal: "reader", roles: ["reader"] });
  const both = testKey({ principal: "both" });
  const bothReading = testKey({ principal: "both", roles: ["reader"] });
  const roleless = testKey({ principal: "operator-only", roles: ["operator", "admin"], debug: true });
  let app: TestApp;
  let transports: Transports;
  beforeAll(async () => {
    app = await startApp({
      apiKeys: [...keys, reader, both, bothReading, roleless],
      // Watches are silent at once, which callMethod takes for their end.
      overrides: { watchSleep: async () => undefined },
    });
    transports = transportsOf(app);
  });
  afterAll(async () => {
    transports[Symbol.dispose]();
    await app[Symbol.asyncDispose]();
  });

  /** The result of an empty request: most are refused as invalid, which is checked after authorization. */
  async function endOf(
    transport: "grpc" | "http",
    method: DescMethod,
    apiKey?: string,
  ): Promise<Refusal | "OK"> {
    try {
      await callMethod(
        transports[transport],
        method,
        method.methodKind === "bidi_streaming" ? [] : [{}],
        apiKey,
      );
      return "OK";
    } catch (error) {
      return toRefusal(error);
    }
  }

  it("matches the table in docs/security.md, for every method", async () => {
    const documented = await documentedAccess();
    const coded = [...ACCESS_OF_METHOD].map(([method, access]) => [methodPath(method), access] as const);
    expect(documented).toEqual(new Map(coded));
    expect([...documented.keys()].sort()).toEqual(METHODS.map(methodPath).sort());
  });

  it.each(METHODS.map((method) => [methodPath(method), method] as const))(
    "holds over both transports, for every role of two tenants: %s",
    async (path, method) => {
      const needed = (await documentedAccess()).get(path);
      if (needed === undefined) throw new Error(`docs/security.md says nothing of ${path}`);
      const bidi = method.methodKind === "bidi_streaming";
      // HTTP/1.1 has no such streams; test/integration/http-server.test.ts tests that they are refused.
      for (const transport of bidi ? (["grpc"] as const) : (["grpc", "http"] as const)) {
        for (const { key, roles, debug } of keys) {
          const end = await endOf(transport, method, key);
          const who = `${roles.join()} ${debug ? "with" : "without"} debug`;
          const hasRole = needed.roles.some((role) => roles.includes(role));
          if (hasRole && (debug || needed.debug !== true)) {
            expect([who, end === "OK" ? end : end.reason]).not.toEqual([who, "ROLE_MISSING"]);
            expect([who, end === "OK" ? end : end.reason]).not.toEqual([who, "CREDENTIAL_INVALID"]);
          } else {
            const lacking = hasRole ? { permission: "debug" } : { roles: needed.roles.join(",") };
            expect([who, end]).toEqual([
              who,
              {
                code: "PermissionDenied",
                reason: "ROLE_MISSING",
                metadata: { method: path, ...lacking },
                fields: [],
              },
            ]);
          }
        }
        for (const apiKey of [undefined, "no-such-key"]) {
          expect(await endOf(transport, method, apiKey)).toMatchObject({
            code: "Unauthenticated",
            reason: "CREDENTIAL_INVALID",
          });
        }
      }
    },
  );

  it("allows only writers to share cache entries with the whole tenant", async () => {
    const question = { prompt: { text: "q" }, scope: { model: "m", shared: true } };
    const lookup = (transport: "grpc" | "http", key: string) =>
      callMethod(transports[transport], CacheService.method.lookupCache, [question], key);
    for (const transport of ["grpc", "http"] as const) {
      // The gRPC server caches prepared requests of a principal; the roles of its key are checked each time.
      await lookup(transport, both.key);
      for (let attempt = 0; attempt < 2; attempt += 1) {
        for (const { key } of [reader, bothReading]) {
          expect(await refusalOf(lookup(transport, key))).toEqual({
            code: "PermissionDenied",
            reason: "ROLE_MISSING",
            metadata: { field: "scope.shared", roles: "writer" },
            fields: [],
          });
        }
        await lookup(transport, both.key);
      }
    }
    const own = { prompt: { text: "q" }, scope: { model: "m" } };
    const store = CacheService.method.storeCacheEntry;
    await callMethod(transports.grpc, store, [{ ...question, response: "for all" }], both.key);
    expect(JSON.stringify(await lookup("grpc", both.key))).toContain("for all");
    // The caller's own scope is a different one.
    const missed = await callMethod(transports.grpc, CacheService.method.lookupCache, [own], reader.key);
    expect(missed).toMatchObject([{ miss: { reason: "REASON_NOT_FOUND" } }]);
  });
});
