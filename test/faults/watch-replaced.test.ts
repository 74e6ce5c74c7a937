import { expect, it } from "vitest";
import { refusalOf } from "../support/errors.ts";
import { isOfKill } from "../support/killed-service.ts";
import { connectTo } from "../support/redis/client.ts";
import { describeRedisPrograms } from "../support/redis/run.ts";
import { startRedis } from "../support/redis/server.ts";
import { eventually } from "../support/redis/wait.ts";
import { startApp } from "../support/start-app.ts";
import { openWatch } from "../support/watching.ts";

await describeRedisPrograms("a watch, when Redis restarts", () => {
  it.each([
    ["without losses, continues behind its token", {}, false],
    [
      "from an older state, is lost behind it and continues before it",
      { appendonly: "no", save: '""' },
      true,
    ],
  ])("%s", async (_, config, isOlder) => {
    await using redis = await startRedis({ config });
    await using app = await startApp({
      env: {
        MEMORY_BACKEND: "redis",
        REDIS_HOST: redis.host,
        REDIS_PORT: String(redis.port),
        VECTOR_DIM: "64",
      },
    });
    const namespace = "n";
    const create = (id: string) =>
      app.memory.createMemory({ namespace, memory: { id, text: `text of ${id}` } });
    const watch = await openWatch(app.memory, { namespace });
    for (const id of ["m1", "m2", "m3"]) await create(id);
    await watch.changes(3);
    const before = watch.token;
    {
      using client = connectTo(redis.url);
      await client.save();
    }
    for (const id of ["m4", "m5"]) await create(id);
    await watch.changes(2);
    const after = watch.token;
    const ended = refusalOf(watch.next());
    await redis.kill();
    expect(await ended).toMatchObject({ code: "Unavailable", reason: "STORE_UNAVAILABLE" });
    await redis.restart();
    await eventually("a service that serves again", () =>
      app.memory.listMemories({ namespace }).then(
        () => true,
        (error: unknown) => !isOfKill(error),
      ),
    );

    const lost = { code: "OutOfRange", reason: "CHANGES_LOST", metadata: { cause: "store_replaced" } };
    const refusalAfter = () => refusalOf(openWatch(app.memory, { namespace, resumeToken: after }));
    if (isOlder) expect(await refusalAfter()).toMatchObject(lost);
    const next = ["m6", "m7", "m8"];
    for (const id of next) await create(id);
    // Other changes have taken the numbers of the lost ones.
    if (isOlder) expect(await refusalAfter()).toMatchObject(lost);
    const again = await openWatch(app.memory, { namespace, resumeToken: isOlder ? before : after });
    expect(await again.changes(3)).toEqual(next.map((id) => `CREATED ${id} text of ${id}`));
    await again.cancel();
  });
});
