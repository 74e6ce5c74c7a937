import { beforeEach, describe, expect, it } from "vitest";
import { cacheEntry } from "../../../test/support/builders.ts";
import type { PutCacheEntryResult } from "../../ports/cache/cache-store.ts";
import { FullNamespaces } from "./full-namespaces.ts";

const BOUNDS = { maxEntries: 2, maxBytes: undefined, evictionPolicy: "LRU" } as const;
const ADDED: PutCacheEntryResult = { entry: cacheEntry(), replaced: false, evicted: 0 };
const EVICTED = { ...ADDED, evicted: 1 };
const REFUSED = { ...ADDED, refused: "NOT_ADMITTED" } as const;

let logged: object[];
let gauge: number;
let full: FullNamespaces;
beforeEach(() => {
  logged = [];
  gauge = 0;
  const metrics = {
    cacheEvicted: () => undefined,
    cacheEntryNotStored: () => undefined,
    cacheFullNamespaces: (count: number) => {
      gauge = count;
    },
  };
  full = new FullNamespaces(metrics, { info: (fields) => void logged.push(fields) });
});

const saw = (namespace: string, put: PutCacheEntryResult): void =>
  full.saw({ tenant: "t", namespace }, put, BOUNDS);

describe("a namespace at its bound", () => {
  it("is logged once, and counted as long as it is full", () => {
    saw("a", ADDED);
    expect([gauge, logged]).toEqual([0, []]);
    saw("a", EVICTED);
    saw("a", REFUSED);
    expect(gauge).toBe(1);
    saw("a", ADDED);
    expect(gauge).toBe(0);
    saw("a", EVICTED);
    expect(gauge).toBe(1);
    expect(logged).toEqual([
      { tenant: "t", namespace: "a", max_entries: 2, max_bytes: undefined, eviction_policy: "LRU" },
    ]);
  });

  it("is one of several", () => {
    for (const namespace of ["a", "b", "a"]) saw(namespace, EVICTED);
    expect([gauge, logged.length]).toEqual([2, 2]);
  });

  it("is not known from a replacement, or from an answer that is too large by itself", () => {
    saw("a", EVICTED);
    saw("a", { ...ADDED, replaced: true });
    saw("a", { ...ADDED, refused: "TOO_LARGE" });
    expect(gauge).toBe(1);
  });

  it("is forgotten, and no longer counted, when there are too many", () => {
    for (let index = 0; index < 10_100; index += 1) saw(`n${index}`, EVICTED);
    expect(gauge).toBe(10_000);
  });
});
