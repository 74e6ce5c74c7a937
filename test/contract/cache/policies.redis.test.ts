import { describe, expect, it } from "vitest";
import { RedisCachePolicyStore } from "../../../src/adapters/redis/cache/policies.ts";
import { Namespaces } from "../../../src/adapters/redis/namespaces/namespace-ids.ts";
import { RedisNamespaceStore } from "../../../src/adapters/redis/namespaces/namespace-store.ts";
import { cachePolicyEtag, NO_CACHE_POLICY } from "../../../src/domain/cache/policy.ts";
import { cacheEntry, NOW, unitVector } from "../../support/builders.ts";
import { sharedRedisUrl } from "../../support/redis/run.ts";
import { connect, openRedisCache } from "../../support/redis-cache.ts";
import { openCountedWay } from "../../support/redis-trips.ts";
import { reasonOf } from "../store-under-test.ts";

const url = await sharedRedisUrl();
const DIMENSION = 20;
const IDENTITY = { provider: "test", model: "random", dimension: DIMENSION };
const SCOPE = { tenant: "t", namespace: "n" };
const OTHER = { tenant: "t", namespace: "o" };
const NEAREST = { fingerprint: "f1", vector: unitVector(1, DIMENSION), limit: 3 };
const STRICT = { guard: "strict", updateTime: NOW } as const;
const OFF = { guard: "off", updateTime: NOW + 1 } as const;
const EMPTY = cachePolicyEtag(NO_CACHE_POLICY);

describe.skipIf(url === "")("cache policies on Redis", () => {
  it("are read with a lookup: no further round trip, and no further command", async () => {
    await using way = await openCountedWay(url);
    await using opened = await openRedisCache(way.url, { identity: IDENTITY });
    const { cache, cachePolicies } = opened;
    const { cost } = way;
    const put = (scope: typeof SCOPE) =>
      cache.put(scope, cacheEntry(), { vector: unitVector(1, DIMENSION), maxEntries: 10, now: NOW });
    for (const scope of [SCOPE, OTHER]) await put(scope);
    const lookups = [
      { id: "e1" },
      { id: "absent" },
      { nearest: NEAREST },
      { id: "absent", nearest: NEAREST },
    ];
    const costs = async () => {
      const each: unknown[] = [];
      for (const query of lookups) each.push(await cost(async () => cache.lookup(SCOPE, query, NOW)));
      const many = () =>
        Promise.all(
          Array.from({ length: 100 }, (_, at) =>
            cache.lookup(at % 2 === 0 ? SCOPE : OTHER, { id: "e1" }, NOW),
          ),
        );
      each.push(await cost(many));
      return each;
    };
    await costs();
    const without = await costs();
    expect(without.slice(0, 2)).toEqual([
      { trips: 1, commands: 1 },
      { trips: 1, commands: 1 },
    ]);
    await cachePolicies.replace(OTHER, EMPTY, OFF, { now: NOW });
    const replace = () => cachePolicies.replace(SCOPE, EMPTY, STRICT, { now: NOW });
    expect(await cost(replace)).toEqual({ trips: 1, commands: 1 });
    expect(await costs()).toEqual(without);
    expect((await cache.lookup(SCOPE, { id: "e1" }, NOW)).policy).toEqual(STRICT);
  });

  it("of another process are followed by the next lookup", async () => {
    await using opened = await openRedisCache(url, { identity: IDENTITY });
    const { cache } = opened;
    await using client = await connect(url);
    const theirs = new Namespaces(client, opened.keys);
    const policies = new RedisCachePolicyStore(theirs);
    await cache.put(SCOPE, cacheEntry(), { maxEntries: 10, now: NOW });
    const looked = async () => (await cache.lookup(SCOPE, { id: "e1" }, NOW)).policy;
    expect(await looked()).toEqual({});
    await policies.replace(SCOPE, EMPTY, STRICT, { now: NOW });
    expect(await looked()).toEqual(STRICT);
    await policies.replace(SCOPE, cachePolicyEtag(STRICT), OFF, { now: NOW });
    expect(await looked()).toEqual(OFF);
    // Created again under another id, which this process learns from the lookup.
    await new RedisNamespaceStore(client, theirs, () => undefined).delete(SCOPE, { now: NOW });
    expect(await looked()).toEqual({});
    await policies.replace(SCOPE, EMPTY, STRICT, { now: NOW });
    expect(await looked()).toEqual(STRICT);
  });

  it("that are damaged serve nothing", async () => {
    await using opened = await openRedisCache(url, { identity: IDENTITY });
    const { cache, cachePolicies, client, keys } = opened;
    await cache.put(SCOPE, cacheEntry(), { maxEntries: 10, now: NOW });
    await cachePolicies.replace(SCOPE, EMPTY, STRICT, { now: NOW });
    const partition = keys.partition(0);
    const id = String(await client.command("HGET", partition.namespaces, "t:n"));
    await client.command("HSET", partition.namespace(id).cachePolicy, "rec", "{");
    const lookups = [{ id: "e1" }, { nearest: NEAREST }, { id: "e1", nearest: NEAREST }];
    for (const query of lookups) {
      expect(await reasonOf(Promise.resolve(cache.lookup(SCOPE, query, NOW)))).toBe("STORE_CORRUPT");
    }
    expect(await reasonOf(cachePolicies.get(SCOPE))).toBe("STORE_CORRUPT");
  });
});
