import { create, type DescMethod, fromBinary, toBinary } from "@bufbuild/protobuf";
import { beforeEach, describe, expect, it, vi } from "vitest";
import {
  CacheService,
  LookupCacheRequestSchema,
  LookupCacheResponseSchema,
  StoreCacheEntryRequestSchema,
} from "#gen/recollect/v1/cache_pb.js";
import { RecollectError } from "../../../src/domain/errors.ts";
import { methodPath, serve } from "../../../src/transport/handler.ts";
import { RawGrpc } from "../../support/raw-grpc.ts";
import { startGrpcServer } from "../../support/start-grpc-server.ts";

const { lookupCache, storeCacheEntry } = CacheService.method;

function lookupBytes(text: string): Uint8Array {
  const prompt = { prompt: { case: "text" as const, value: text } };
  const request = create(LookupCacheRequestSchema, { prompt, scope: { model: "m" } });
  return toBinary(LookupCacheRequestSchema, request);
}

describe("a handler with a prepare step, on the gRPC server", () => {
  const prepare = vi.fn((request: object, caller: object) => ({ request, caller }));
  const handle = vi.fn(async (_prepared: object) => ({}));
  const services = [
    serve(CacheService, {
      lookupCache: { prepare, handle },
      storeCacheEntry: { prepare, handle },
    }),
  ];
  beforeEach(() => {
    prepare.mockClear();
    handle.mockClear();
  });

  /** Sends these requests, and returns the numbers of `prepare` and `handle` calls. */
  const counted = async (method: DescMethod, requests: readonly Uint8Array[]) => {
    await using server = await startGrpcServer(services);
    using raw = new RawGrpc(server.address);
    const codes: number[] = [];
    for (const request of requests) codes.push((await raw.unary(methodPath(method), request)).code);
    return { codes, prepared: prepare.mock.calls.length, handled: handle.mock.calls.length };
  };

  it("prepares equal requests once, and handles each call", async () => {
    const [one, other] = [lookupBytes("one"), lookupBytes("other")];
    expect(await counted(lookupCache, [one, one, other, one])).toEqual({
      codes: [0, 0, 0, 0],
      prepared: 2,
      handled: 4,
    });
    const [first, second, third, fourth] = handle.mock.calls.map(([prepared]) => prepared);
    expect([second, fourth]).toEqual([first, first]);
    expect(fourth).toBe(first);
    expect(third).not.toBe(first);
    expect(first).toMatchObject({ caller: { tenant: "default", principal: "anonymous" } });
  });

  it("prepares every large request and every request of a mutation", async () => {
    const large = lookupBytes("x".repeat(5000));
    expect(await counted(lookupCache, [large, large])).toMatchObject({ prepared: 2, handled: 2 });
    prepare.mockClear();
    handle.mockClear();
    const store = toBinary(StoreCacheEntryRequestSchema, create(StoreCacheEntryRequestSchema));
    expect(await counted(storeCacheEntry, [store, store])).toMatchObject({ prepared: 2, handled: 2 });
  });

  it("caches nothing for a request that prepare refuses", async () => {
    prepare.mockImplementationOnce(() => {
      throw new RecollectError("REQUEST_INVALID", "not this one");
    });
    const request = lookupBytes("one");
    expect(await counted(lookupCache, [request, request, request])).toEqual({
      codes: [3, 0, 0],
      prepared: 2,
      handled: 2,
    });
  });

  it("calls `handle` for each call", async () => {
    handle.mockImplementationOnce(async () => ({ decisionId: "first" }));
    await using server = await startGrpcServer(services);
    using raw = new RawGrpc(server.address);
    const ids: string[] = [];
    for (let call = 0; call < 2; call += 1) {
      const { reply } = await raw.unary(methodPath(lookupCache), lookupBytes("one"));
      ids.push(fromBinary(LookupCacheResponseSchema, reply ?? Buffer.alloc(0)).decisionId);
    }
    expect(ids).toEqual(["first", ""]);
  });
});
