import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it, vi } from "vitest";
import { CacheService, LookupCacheRequestSchema } from "#gen/recollect/v1/cache_pb.js";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { RequestCache, requestCacheOf } from "./request-cache.ts";

const CALLER = { tenant: "t", principal: "p" };

function requestBytes(text: string): Buffer {
  const message = create(LookupCacheRequestSchema, {
    prompt: { prompt: { case: "text", value: text } },
    scope: { model: "m" },
  });
  return Buffer.from(toBinary(LookupCacheRequestSchema, message));
}

/** Whether a request is cached; the call itself caches it. */
function isCached(cache: RequestCache, bytes: Buffer, caller = CALLER): boolean {
  const prepare = vi.fn(() => ({}));
  cache.get(caller, bytes, prepare);
  return prepare.mock.calls.length === 0;
}

describe("a RequestCache", () => {
  it("returns the prepared value of equal bytes only", () => {
    const bytes = requestBytes("a é \u0000 question");
    const cache = new RequestCache();
    const prepared = {};
    expect(cache.get(CALLER, bytes, () => prepared)).toBe(prepared);
    expect(cache.get(CALLER, Buffer.from(bytes), () => ({}))).toBe(prepared);
    for (let place = 0; place < bytes.length; place += 1) {
      const other = Buffer.from(bytes);
      other[place] = (other[place] ?? 0) ^ 0x80;
      expect(isCached(cache, other)).toBe(false);
    }
    expect(isCached(cache, bytes.subarray(1))).toBe(false);
    expect(cache.get(CALLER, bytes, () => ({}))).toBe(prepared);
  });

  it("separates callers by tenant and principal, not by object identity", () => {
    const bytes = requestBytes("a question");
    const cache = new RequestCache();
    const prepared = {};
    cache.get(CALLER, bytes, () => prepared);
    expect(cache.get({ ...CALLER }, bytes, () => ({}))).toBe(prepared);
    const others = [
      { tenant: "u", principal: "p" },
      { tenant: "t", principal: "q" },
      { tenant: "p", principal: "t" },
      { tenant: "", principal: "tp" },
    ];
    for (const other of others) expect(isCached(cache, bytes, other)).toBe(false);
  });

  it("caches nothing for a refused request", () => {
    const bytes = requestBytes("a question");
    const cache = new RequestCache();
    const refusal = new Error("refused");
    const refuse = (): never => {
      throw refusal;
    };
    expect(() => cache.get(CALLER, bytes, refuse)).toThrow(refusal);
    expect(() => cache.get(CALLER, bytes, refuse)).toThrow(refusal);
    expect(isCached(cache, bytes)).toBe(false);
  });

  it("does not cache large requests", () => {
    const bytes = requestBytes("x".repeat(5000));
    const cache = new RequestCache();
    expect([isCached(cache, bytes), isCached(cache, bytes)]).toEqual([false, false]);
  });

  it.each([
    ["in bytes", 1000, "x".repeat(2000)],
    ["in requests", 10_000, ""],
  ])("is bounded %s: evicts the least recently used one first", (_, count, filling) => {
    const cache = new RequestCache();
    const first = requestBytes("first");
    isCached(cache, first);
    for (let index = 0; index < count; index += 1) isCached(cache, requestBytes(`${index} ${filling}`));
    expect(isCached(cache, requestBytes(`${count - 1} ${filling}`))).toBe(true);
    expect(isCached(cache, first)).toBe(false);
  });
});

describe("requestCacheOf", () => {
  it("is defined only for unary methods without side effects", () => {
    expect(requestCacheOf(MemoryService.method.getMemory)).toBeDefined();
    expect(requestCacheOf(MemoryService.method.createMemory)).toBeUndefined();
    expect(requestCacheOf(CacheService.method.storeCacheEntry)).toBeUndefined();
    expect(requestCacheOf(MemoryService.method.exportMemories)).toBeUndefined();
  });
});
