import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Memory_State } from "#gen/recollect/v1/memory_pb.js";
import { NOW } from "../support/builders.ts";
import { removeAll } from "../support/redis/backend.ts";
import { describeSharedRedis } from "../support/redis/run.ts";
import { startApp, type TestApp } from "../support/start-app.ts";
import { bytesOf, exportAll, importAll, importable } from "../support/transfer.ts";

await describeSharedRedis("an export of one store, imported into the other and exported again", ({ url }) => {
  const name = `test-${randomBytes(8).toString("hex")}`;
  let embedded: TestApp;
  let redis: TestApp;
  let clock = NOW;
  let names = 0;
  const overrides = {
    clock: {
      now: () => {
        clock += 1;
        return clock;
      },
    },
  };
  beforeAll(async () => {
    embedded = await startApp({ overrides });
    redis = await startApp({
      env: {
        MEMORY_BACKEND: "redis",
        REDIS_URL: url,
        REDIS_PREFIX: `${name}:`,
        VECTOR_INDEX_NAME: `${name}:memories`,
      },
      overrides,
    });
  });
  afterAll(async () => {
    await embedded[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
    await removeAll(url, name);
  });

  /** The bytes of the namespace in one store, after a copy to the other one, and after a copy back. */
  async function copies(from: TestApp, to: TestApp, namespace: string): Promise<readonly string[][]> {
    const first = (await exportAll(from, { namespace })).memories;
    await importAll(to, [{ namespace, sequence: 1, memories: first }]);
    const second = (await exportAll(to, { namespace })).memories;
    const back = `${namespace}-back`;
    await importAll(from, [{ namespace: back, sequence: 1, memories: second }]);
    return [bytesOf(first), bytesOf(second), bytesOf((await exportAll(from, { namespace: back })).memories)];
  }

  const directions = [
    ["from the embedded store to Redis", () => [embedded, redis] as const],
    ["from Redis to the embedded store", () => [redis, embedded] as const],
  ] as const;

  it.each(directions)("%s: has the same bytes, with states, links and flags", async (_, stores) => {
    const [from, to] = stores();
    await fc.assert(
      fc.asyncProperty(fc.array(importable(), { minLength: 1, maxLength: 25 }), async (given) => {
        names += 1;
        const namespace = `n${names}`;
        await importAll(from, [{ namespace, sequence: 1, memories: given }]);
        const [first, second, third] = await copies(from, to, namespace);
        expect(first).toHaveLength(new Set(given.map(({ id }) => id)).size);
        expect(second).toEqual(first);
        expect(third).toEqual(first);
      }),
      { numRuns: 20 },
    );
  });

  it.each(directions)(
    "%s: has the same bytes after supersessions, restores and corrections",
    async (_, stores) => {
      const [from, to] = stores();
      names += 1;
      const namespace = `n${names}`;
      const create = (id: string, supersedes: string[] = []) =>
        from.memory.createMemory({ namespace, memory: { id, text: `Ana lives in ${id}`, supersedes } });
      await create("paris");
      await create("berlin", ["paris"]);
      await create("rome", ["berlin"]);
      await from.memory.updateMemory({ namespace, memory: { id: "rome", text: "Ana lives in Roma" } });
      await from.memory.restoreMemory({ namespace, id: "berlin" });
      const [first, second, third] = await copies(from, to, namespace);
      expect(second).toEqual(first);
      expect(third).toEqual(first);
      const { memory } = await to.memory.getMemory({ namespace, id: "paris" });
      expect(memory).toMatchObject({ state: Memory_State.SUPERSEDED, supersededBy: "berlin" });
    },
  );
});
