import { describe, expect, it } from "vitest";
import { CounterCache, type LearnedCounters, withLearned } from "./counter-cache.ts";

const learned = (counters: Record<string, number | undefined>): LearnedCounters =>
  new Map(Object.entries(counters));

describe("the counters of a namespace", () => {
  it("are those that were learned last of this namespace", () => {
    const cache = new CounterCache();
    cache.learn("a1", learned({ x: 1 }));
    cache.learn("a2", learned({ x: 2 }));
    cache.learn("a1", learned({ x: 3 }));
    expect([cache.of("a1")("x"), cache.of("a2")("x"), cache.of("a1")("y")]).toEqual([3, 2, undefined]);
    cache.learn("a1", learned({ x: undefined }));
    expect([cache.of("a1")("x"), cache.of("a2")("x")]).toEqual([undefined, 2]);
    cache.forgetAll();
    expect(cache.of("a2")("x")).toBeUndefined();
  });

  it("are dropped when they were not used for longest", () => {
    const cache = new CounterCache();
    cache.learn("a1", learned({ first: 1, second: 1, third: 1 }));
    cache.of("a1")("first");
    for (let at = 0; at < 99_999; at += 1) cache.learn("a2", learned({ [at]: at }));
    expect(["first", "second", "third"].map(cache.of("a1"))).toEqual([1, undefined, undefined]);
  });

  it("are known with what was learned meanwhile, before the cache learns it", () => {
    const cache = new CounterCache();
    cache.learn("a1", learned({ kept: 1, changed: 1, wrong: 1 }));
    const after = withLearned(cache.of("a1"), learned({ changed: 2, wrong: undefined }));
    expect(["kept", "changed", "wrong"].map(after)).toEqual([1, 2, undefined]);
    expect(["kept", "changed", "wrong"].map(cache.of("a1"))).toEqual([1, 1, 1]);
  });
});
