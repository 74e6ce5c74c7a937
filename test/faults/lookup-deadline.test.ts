import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  LookupCacheRequestSchema,
  LookupCacheResponseSchema,
  LookupCacheResponse_Miss_Reason as Reason,
} from "#gen/recollect/v1/cache_pb.js";
import { startOpenAiServer } from "../support/openai-server.ts";
import { RawGrpc } from "../support/raw-grpc.ts";
import { LONG_RUN } from "../support/scale.ts";
import { startProcess } from "../support/start-process.ts";

/** The deadline of a lookup, and the tolerance. */
const MAX_MS = 800 + 50;
/** Number of new servers for the first lookups; the first server is not counted, because the client is also new. */
const SERVERS = 4;
const LOOKUPS = 52;

describe.runIf(LONG_RUN)("lookups whose provider never answers", () => {
  it("miss within their deadline, including the first lookup of a new server", async () => {
    await using provider = await startOpenAiServer();
    provider.always({ kind: "hang" });
    const slowest: number[] = [];
    for (let round = 0; round < SERVERS; round += 1) {
      await using server = await startProcess({
        EMBEDDING_PROVIDER: "openai",
        EMBEDDING_MODEL: "a-model",
        EMBEDDING_API_KEY: "sk-something",
        EMBEDDING_API_BASE: provider.apiBase,
        VECTOR_DIM: "384",
      });
      const { grpc } = JSON.parse(await server.lineWith('"serving"')) as { grpc: string };
      using raw = new RawGrpc(grpc);
      // Connects first, because the deadline of a lookup starts at its arrival.
      await raw.unary("/recollect.v1.OperationsService/GetServerInfo", Buffer.of());
      const durations = await Promise.all(
        Array.from({ length: LOOKUPS }, async (_, index) => {
          const wire = toBinary(
            LookupCacheRequestSchema,
            create(LookupCacheRequestSchema, {
              prompt: { prompt: { case: "text", value: `what is number ${index}?` } },
              scope: { model: "gpt-4o" },
            }),
          );
          const begin = performance.now();
          const { reply } = await raw.unary("/recollect.v1.CacheService/LookupCache", wire);
          const { outcome } = fromBinary(LookupCacheResponseSchema, reply ?? Buffer.of());
          expect(outcome).toMatchObject({
            case: "miss",
            value: { reason: Reason.EMBEDDER_UNAVAILABLE },
          });
          return performance.now() - begin;
        }),
      );
      slowest.push(Math.max(...durations));
    }
    // biome-ignore lint/suspicious/noConsole: these are the figures that the test is run for
    console.log(JSON.stringify({ slowest }));
    expect(Math.max(...slowest.slice(1))).toBeLessThanOrEqual(MAX_MS);
  });
});
