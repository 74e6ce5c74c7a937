import { describe, expect, it } from "vitest";
import { CounterCache, type CounterUpdates, withUpdates } from "./counter-cache.ts";

const updates = (counters: Record<string, number | undefined>): CounterUpdates =>
  new Map(Object.entries(counters));

describe("the counters of a namespace", () => {
  it("are the last updates of this namespace", () => {
    const cache = new CounterCache();
    cache.update("a1", updates({ x: 1 }));
    cache.update("a2", updates({ x: 2 }));
    cache.update("a1", updates({ x: 3 }));
    expect([cache.of("a1")("x"), cache.of("a2")("x"), cache.of("a1")("y")]).toEqual([3, 2, undefined]);
    cache.update("a1", updates({ x: undefined }));
    expect([cache.of("a1")("x"), cache.of("a2")("x")]).toEqual([undefined, 2]);
    cache.clear();
    expect(cache.of("a2")("x")).toBeUndefined();
  });

  it("are evicted, least recently used first", () => {
    const cache = new CounterCache();
    cache.update("a1", updates({ first: 1, second: 1, third: 1 }));
    cache.of("a1")("first");
    for (let at = 0; at < 99_999; at += 1) cache.update("a2", updates({ [at]: at }));
    expect(["first", "second", "third"].map(cache.of("a1"))).toEqual([1, undefined, undefined]);
  });

  it("include updates that the cache does not have yet", () => {
    const cache = new CounterCache();
    cache.update("a1", updates({ kept: 1, changed: 1, wrong: 1 }));
    const after = withUpdates(cache.of("a1"), updates({ changed: 2, wrong: undefined }));
    expect(["kept", "changed", "wrong"].map(after)).toEqual([1, 2, undefined]);
    expect(["kept", "changed", "wrong"].map(cache.of("a1"))).toEqual([1, 1, 1]);
  });
});
