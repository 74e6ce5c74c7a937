import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { connectTo } from "./client.ts";
import { fetchPrograms, findInstalled, type RedisPrograms } from "./programs.ts";
import { startRedis } from "./server.ts";

/** The available Redis, or the reason why there is none. */
export type Found<T> = T | { readonly missing: string };

/** The Redis of a test run. */
export interface RedisOfRun {
  /** One standalone server for all; tests keep apart by REDIS_PREFIX, and no one stops or flushes it. */
  readonly shared: Found<{ readonly url: string }>;
  /** For tests that start servers of their own. */
  readonly programs: Found<RedisPrograms>;
}

export const IMAGE = "redis/redis-stack:7.2.0-v9";

export const INSTALL = `Install Redis Stack 7.2, so that redis-stack-server is on PATH, or Docker (for ${IMAGE}), or, on Linux on x86-64, python3 with pip`;

/**
 * Finds Redis for the tests, and starts the shared server: TEST_REDIS_URL, else redis-stack-server on PATH, else Docker,
 * else the wheel of scripts/fetch-redis-stack.sh. Servers of their own come from PATH or the wheel in any case.
 * REDIS_URL is never looked at: somebody may work with what it names. Throws when TEST_REDIS_URL names no Redis Stack.
 */
export async function openRedisOfRun(closing: AsyncDisposableStack): Promise<RedisOfRun> {
  const { TEST_REDIS_URL: given } = process.env;
  if (given !== undefined && given !== "") {
    await expectStack(given);
    return { shared: { url: given }, programs: await findPrograms() };
  }
  const installed = await findInstalled();
  if (installed === undefined && (await hasDocker())) {
    return { shared: await startContainer(closing), programs: await findPrograms() };
  }
  const programs = installed ?? (await findPrograms());
  if ("missing" in programs) return { shared: programs, programs };
  const server = closing.use(await startRedis({ programs, config: { appendonly: "no" } }));
  return { shared: { url: server.url }, programs };
}

async function findPrograms(): Promise<Found<RedisPrograms>> {
  try {
    return (await findInstalled()) ?? (await fetchPrograms());
  } catch (error) {
    return { missing: `${INSTALL}. (${(error as Error).message})` };
  }
}

export async function hasDocker(): Promise<boolean> {
  // Also where there is a client but nothing that it could talk to.
  return promisify(execFile)("docker", ["info"]).then(
    () => true,
    () => false,
  );
}

async function startContainer(closing: AsyncDisposableStack): Promise<{ readonly url: string }> {
  // Loaded here alone: it is large, and most runs need none.
  const { GenericContainer, Wait } = await import("testcontainers");
  const container = await new GenericContainer(IMAGE)
    .withExposedPorts(6379)
    .withWaitStrategy(Wait.forLogMessage("Ready to accept connections"))
    .start();
  closing.defer(async () => void (await container.stop()));
  return { url: `redis://${container.getHost()}:${container.getMappedPort(6379)}` };
}

async function expectStack(url: string): Promise<void> {
  using redis = connectTo(url);
  try {
    const modules = JSON.stringify(await redis.call("MODULE", "LIST"));
    if (!modules.includes('"search"')) throw new Error("it has no search module");
  } catch (error) {
    throw new Error(`TEST_REDIS_URL names no Redis Stack that answers: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
