import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import type { TestProject } from "vitest/node";
import { openRedisOfRun, type RedisOfRun } from "./source.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The port of this machine where the run says what it has of Redis; run.ts asks. */
    readonly redisOfRunPort: number;
  }
}

/**
 * Redis for the tests is chosen and started once in a run, and not before the first file asks, so that a run without
 * Redis pays nothing for it.
 */
// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const closing = new AsyncDisposableStack();
  let opened: Promise<{ readonly redis: RedisOfRun } | { readonly error: string }> | undefined;
  const open = async (): Promise<{ readonly redis: RedisOfRun } | { readonly error: string }> => {
    try {
      const redis = await openRedisOfRun(closing);
      if ("missing" in redis.programs) {
        const which =
          "missing" in redis.shared ? "All tests of Redis" : "Tests that start a Redis of their own";
        process.stderr.write(`${which} need more than is here: ${redis.programs.missing}\n`);
      }
      return { redis };
    } catch (error) {
      return { error: (error as Error).message };
    }
  };
  const server = createServer(async (socket) => {
    opened ??= open();
    socket.end(JSON.stringify(await opened));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  provide("redisOfRunPort", (server.address() as AddressInfo).port);
  return async () => {
    server.close();
    await opened;
    await closing.disposeAsync();
  };
}
