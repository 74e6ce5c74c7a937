import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { CacheService, LookupCacheRequestSchema } from "#gen/recollect/v1/cache_pb.js";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { knownRequestsOf } from "./known-requests.ts";

function request(text: string): { readonly bytes: Buffer; readonly message: ReturnType<typeof create> } {
  const message = create(LookupCacheRequestSchema, {
    prompt: { prompt: { case: "text", value: text } },
    scope: { model: "m" },
  });
  return { bytes: Buffer.from(toBinary(LookupCacheRequestSchema, message)), message };
}

describe("known requests", () => {
  it("give the message of the same bytes, and of no others", () => {
    const known = knownRequestsOf(CacheService.method.lookupCache);
    const { bytes, message } = request("a é \u0000 question");
    expect(known?.find(bytes)).toBeUndefined();
    known?.keep(bytes, message);
    expect(known?.find(Buffer.from(bytes))).toBe(message);
    for (let place = 0; place < bytes.length; place += 1) {
      const other = Buffer.from(bytes);
      other[place] = (other[place] ?? 0) ^ 0x80;
      expect(known?.find(other)).toBeUndefined();
    }
    expect(known?.find(bytes.subarray(1))).toBeUndefined();
  });

  it("do not hold large ones", () => {
    const known = knownRequestsOf(CacheService.method.lookupCache);
    const { bytes, message } = request("x".repeat(5000));
    known?.keep(bytes, message);
    expect(known?.find(bytes)).toBeUndefined();
  });

  it("are bounded: the one that was asked for longest ago goes first", () => {
    const known = knownRequestsOf(CacheService.method.lookupCache);
    const first = request("first");
    known?.keep(first.bytes, first.message);
    for (let index = 0; index < 1000; index += 1) {
      const other = request(`${index} ${"x".repeat(2000)}`);
      known?.keep(other.bytes, other.message);
    }
    expect(known?.find(first.bytes)).toBeUndefined();
  });

  it("are those of reads alone: nothing that changes anything, and no streams", () => {
    expect(knownRequestsOf(MemoryService.method.getMemory)).toBeDefined();
    expect(knownRequestsOf(MemoryService.method.createMemory)).toBeUndefined();
    expect(knownRequestsOf(CacheService.method.storeCacheEntry)).toBeUndefined();
    expect(knownRequestsOf(MemoryService.method.exportMemories)).toBeUndefined();
  });
});
