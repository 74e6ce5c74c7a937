import { describe, expect, it } from "vitest";
import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import { GUARD_STRICTNESS } from "../../../src/domain/cache/guard-strictness.ts";
import { type CachePolicy, cachePolicyEtag, NO_CACHE_POLICY } from "../../../src/domain/cache/policy.ts";
import type { Backend } from "../../../src/ports/backend.ts";
import { cacheEntry, idempotentRequest, NOW, newMemory } from "../../support/builders.ts";
import {
  lookAlikeNamespaceKeys,
  reasonOf,
  type StoreUnderTest,
  useStore,
  vectorOf,
} from "../store-under-test.ts";

type Stores = Pick<Backend, "cache" | "cachePolicies" | "namespaces" | "memories">;

const STRICT = { guard: "strict", updateTime: NOW } as const;
const OFF = { guard: "off", updateTime: NOW + 1 } as const;
const EMPTY = cachePolicyEtag(NO_CACHE_POLICY);

/** The contract of CachePolicyStore, with the CacheStore whose lookups read the policies. */
export function cachePolicyStoreContract(name: string, open: () => Promise<StoreUnderTest<Stores>>): void {
  describe(`CachePolicyStore, ${name}`, () => {
    const subject = useStore(open);
    const policies = () => subject.store.cachePolicies;
    const set = (policy: typeof STRICT | typeof OFF, scope = subject.scope, expected = EMPTY) =>
      policies().replace(scope, expected, policy, { now: NOW });

    /** The policy as every kind of lookup reads it. */
    const lookedUp = async (scope: NamespaceKey = subject.scope): Promise<CachePolicy> => {
      const nearest = { fingerprint: "f1", vector: vectorOf(1), limit: 3 };
      const queries = [{ id: "e1" }, { id: "absent" }, { nearest }, { id: "e1", nearest }, {}];
      const found = await Promise.all(queries.map((query) => subject.store.cache.lookup(scope, query, NOW)));
      for (const { policy } of found) expect(policy).toEqual(found[0]?.policy);
      return found[0]?.policy ?? {};
    };

    it("is empty where nothing was set, and reading creates no namespace", async () => {
      expect(await policies().get(subject.scope)).toEqual(NO_CACHE_POLICY);
      expect(await lookedUp()).toEqual({});
      const { tenant } = subject.scope;
      expect(await subject.store.namespaces.list(tenant, { after: "", limit: 10 })).toEqual([]);
    });

    it("is what was set last, for every kind of lookup, with and without entries", async () => {
      expect(await set(STRICT)).toEqual(STRICT);
      expect(await policies().get(subject.scope)).toEqual(STRICT);
      expect(await lookedUp()).toEqual(STRICT);
      await subject.store.cache.put(subject.scope, cacheEntry(), {
        vector: vectorOf(1),
        maxEntries: 10,
        now: NOW,
      });
      expect(await lookedUp()).toEqual(STRICT);
      expect(await set(OFF, subject.scope, cachePolicyEtag(STRICT))).toEqual(OFF);
      expect(await lookedUp()).toEqual(OFF);
    });

    it("may hold any strictness, and none", async () => {
      let etag = EMPTY;
      for (const [at, guard] of [...GUARD_STRICTNESS, undefined].entries()) {
        const policy = { ...(guard === undefined ? {} : { guard }), updateTime: NOW + at };
        await policies().replace(subject.scope, etag, policy, { now: NOW });
        etag = cachePolicyEtag(policy);
        expect(await policies().get(subject.scope)).toEqual(policy);
        expect(await lookedUp()).toEqual(policy);
      }
    });

    it("creates the namespace, and is set in one that holds data", async () => {
      const { tenant, namespace } = subject.scope;
      await set(STRICT);
      expect(await subject.store.namespaces.list(tenant, { after: "", limit: 10 })).toEqual([namespace]);
      const other = { tenant, namespace: "with-data" };
      await subject.store.memories.writer.create(other, [newMemory({ id: "m1" }, { vector: vectorOf(1) })], {
        now: NOW,
      });
      await set(OFF, other);
      expect(await lookedUp(other)).toEqual(OFF);
      expect((await subject.store.memories.reader.get(other, ["m1"], NOW))[0]?.id).toBe("m1");
    });

    it("changes for the expected etag alone", async () => {
      expect(await reasonOf(set(STRICT, subject.scope, cachePolicyEtag(STRICT)))).toBe("ETAG_MISMATCH");
      expect(await policies().get(subject.scope)).toEqual(NO_CACHE_POLICY);
      await set(STRICT);
      expect(await reasonOf(set(OFF))).toBe("ETAG_MISMATCH");
      expect(await lookedUp()).toEqual(STRICT);
    });

    it("lets one of several concurrent changes win", async () => {
      const outcomes = await Promise.all([STRICT, OFF, STRICT].map((policy) => reasonOf(set(policy))));
      expect(outcomes.filter((reason) => reason === undefined)).toHaveLength(1);
      expect(outcomes.filter((reason) => reason === "ETAG_MISMATCH")).toHaveLength(2);
    });

    it("keeps namespaces apart that look alike", async () => {
      const [first, ...others] = lookAlikeNamespaceKeys();
      await set(OFF, first);
      for (const other of others) {
        expect(await policies().get(other)).toEqual(NO_CACHE_POLICY);
        expect(await lookedUp(other)).toEqual({});
      }
      for (const other of others) await set(STRICT, other);
      expect(await lookedUp(first)).toEqual(OFF);
    });

    it("is read for each namespace of lookups that are made at once", async () => {
      const scopes = ["a", "b", "c", "d"].map((namespace) => ({ ...subject.scope, namespace }));
      for (const [at, scope] of scopes.entries()) {
        if (at === 2) continue;
        await set(at % 2 === 0 ? STRICT : OFF, scope);
        await subject.store.cache.put(scope, cacheEntry({ response: scope.namespace }), {
          maxEntries: 10,
          now: NOW,
        });
      }
      const found = await Promise.all(
        // A namespace that comes back later in the same batch, and one whose entry is not there.
        [...scopes, ...scopes.toReversed()].map(async (scope, at) => {
          const { exact, policy } = await subject.store.cache.lookup(
            scope,
            { id: at === 5 ? "no" : "e1" },
            NOW,
          );
          return [exact?.response, policy.guard];
        }),
      );
      const expected = [
        ["a", "strict"],
        ["b", "off"],
        [undefined, undefined],
        ["d", "off"],
      ];
      const reversed = expected.toReversed();
      reversed[1] = [undefined, undefined];
      expect(found).toEqual([...expected, ...reversed]);
    });

    it("is deleted with its namespace, also for the one that is created again", async () => {
      await set(OFF);
      expect(await lookedUp()).toEqual(OFF);
      await subject.store.namespaces.delete(subject.scope, { now: NOW });
      expect(await policies().get(subject.scope)).toEqual(NO_CACHE_POLICY);
      expect(await lookedUp()).toEqual({});
      await subject.store.cache.put(subject.scope, cacheEntry(), { maxEntries: 10, now: NOW });
      expect(await lookedUp()).toEqual({});
      await set(STRICT);
      expect(await lookedUp()).toEqual(STRICT);
    });

    it("survives a restart", async () => {
      await set(STRICT);
      await subject.reopen();
      expect(await lookedUp()).toEqual(STRICT);
      expect(await policies().get(subject.scope)).toEqual(STRICT);
    });

    it("replays a request without a change, with the policy as it now is", async () => {
      const request = idempotentRequest();
      const once = () => policies().replace(subject.scope, EMPTY, STRICT, { now: NOW, request });
      expect(await Promise.all([once(), once()])).toEqual([STRICT, STRICT]);
      await set(OFF, subject.scope, cachePolicyEtag(STRICT));
      expect(await once()).toEqual(OFF);
      expect(await lookedUp()).toEqual(OFF);
      const other = policies().replace(subject.scope, EMPTY, STRICT, {
        now: NOW,
        request: { ...request, bodyHash: "another" },
      });
      expect(await reasonOf(other)).toBe("REQUEST_ID_REUSED");
    });
  });
}
