import type { DescMethod } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { OperationsService } from "#gen/recollect/v1/operations_pb.js";
import { RawGrpc } from "../support/raw-grpc.ts";
import { LONG_RUN } from "../support/scale.ts";
import { lowerCost, type MeasuredServer, type ServerCost, startMeasured } from "../support/server-cost.ts";
import { type WorstMessage, worstMessages } from "../support/worst-messages.ts";

const MIB = 1024 * 1024;
/** Just below the maximum message size. */
const SIZE = 15.5 * MIB;
/** Maximum time for which a request may block the event loop, and maximum memory per byte of it. */
const MAX_HOLD_MS = 100;
const MAX_TIMES = 4;
/** Other processes delay single runs: the best of so many counts. */
const TRIES = 4;

const METHODS: readonly DescMethod[] = [MemoryService, CacheService, OperationsService].flatMap(
  ({ methods }) => methods as readonly DescMethod[],
);

describe.runIf(LONG_RUN)("the most expensive requests of the maximum size", () => {
  let server: MeasuredServer;
  let raw: RawGrpc;
  beforeAll(async () => {
    server = await startMeasured();
    raw = new RawGrpc(server.grpc);
  });
  afterAll(async () => {
    raw[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });

  function sendings(method: DescMethod, { wire, json }: WorstMessage) {
    const path = `/${method.parent.typeName}/${method.name}`;
    return {
      grpc: () => (method.methodKind === "unary" ? raw.unary(path, wire) : raw.stream(path, [wire])),
      http: async () => {
        const response = await fetch(`${server.http}${path}`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: Buffer.from(json),
        }).catch((error: unknown) => {
          // HTTP/1.1 has no streams in both directions: refused at the headers, and the connection closed.
          if (method.methodKind !== "bidi_streaming") throw error;
        });
        await response?.text();
      },
    };
  }

  it.each(METHODS.map((method) => [method.name, method] as const))(
    "of %s block the event loop for a tenth of a second at most, and take at most four times their size in memory",
    async (_, method) => {
      const costly: object[] = [];
      for (const message of worstMessages(method.input, SIZE)) {
        for (const [transport, send] of Object.entries(sendings(method, message))) {
          let best: ServerCost | undefined;
          for (let attempt = 0; attempt < TRIES; attempt += 1) {
            const cost = await server.costOf(send);
            best = best === undefined ? cost : lowerCost(best, cost);
            if (best.holdMs <= MAX_HOLD_MS && best.bytes <= MAX_TIMES * SIZE) break;
          }
          if (best === undefined || best.holdMs > MAX_HOLD_MS || best.bytes > MAX_TIMES * SIZE)
            costly.push({ message: message.name, transport, ...best });
        }
      }
      expect(costly).toEqual([]);
    },
  );
});
