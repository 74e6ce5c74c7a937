import { afterEach, beforeEach, expect, it } from "vitest";
import { Keys } from "../../../src/adapters/redis/namespaces/keys.ts";
import type { MemoryEmbedding } from "../../../src/domain/memory/memory.ts";
import { superseded } from "../../../src/domain/memory/supersession.ts";
import type { EmbedderIdentity } from "../../../src/ports/embedding/embedder.ts";
import { DAY, NOW, newMemory } from "../../support/builders.ts";
import { openTestRedis, type TestRedis } from "../../support/redis/backend.ts";
import { connectTo } from "../../support/redis/client.ts";
import { brokenInvariants } from "../../support/redis/invariants.ts";
import { describeSharedRedis } from "../../support/redis/run.ts";
import { eventually } from "../../support/redis/wait.ts";
import { scale, seededInteger } from "../../support/scale.ts";
import { reasonOf, VECTOR_DIMENSION, vectorOf } from "../store-under-test.ts";
import {
  asStored,
  type CompactionSubject,
  changed,
  changes,
  createMemories,
  endedRun,
  group,
  memoryOf,
  run,
  startRun,
} from "./support.ts";

const MODEL: EmbedderIdentity = { provider: "contract", model: "random", dimension: VECTOR_DIMENSION };
const READY: MemoryEmbedding = { state: "READY", ...MODEL, truncated: false };
const SCOPE = { tenant: "t", namespace: "n" };

/** Beyond the contract: the keys in Redis. */
await describeSharedRedis("compactions in Redis", ({ url }) => {
  let opened: TestRedis;
  beforeEach(async () => {
    opened = await openTestRedis(url, { embedder: MODEL });
  });
  afterEach(() => opened[Symbol.asyncDispose]());

  const subject = (scope = SCOPE): CompactionSubject => ({
    get store() {
      return opened.backend;
    },
    scope,
    reopen: () => opened.reopen(),
  });
  const broken = () => brokenInvariants(url, `${opened.name}:`);
  const partition = () => new Keys(`${opened.name}:`, 1).partition(0);
  const all = async (pattern: string): Promise<string[]> => {
    using redis = connectTo(url);
    return (await redis.keys(`${opened.name}:${pattern}`)).toSorted();
  };

  it("keep all counters and sets in step, whatever they write", async () => {
    const next = seededInteger(22);
    const one = subject();
    const items = Array.from({ length: 20 }, (_, at) => {
      const [userId, sessionId] = [`u${at % 3}`, at % 2 === 0 ? "s" : ""];
      const given = { id: `m${at}`, text: `tea ${at % 6}`, userId, sessionId };
      return at % 3 === 0
        ? newMemory(given, { onDuplicate: "ALLOW" })
        : newMemory({ ...given, embedding: READY }, { onDuplicate: "ALLOW", vector: vectorOf(at) });
    });
    await createMemories(one, items);
    for (let round = 0; round < scale(15, 100); round += 1) {
      const id = `run-${round}`;
      const userId = `u${next(3)}`;
      const { write } = await startRun(one, { id, userId });
      await write({ run: run({ id, userId, state: "APPLYING" }), groups: [group(1), group(2)] });
      const ids = Array.from({ length: 1 + next(4) }, () => `m${next(20)}`).filter(
        (each, at, list) => list.indexOf(each) === at,
      );
      const found = await one.store.memories.reader.get(SCOPE, ids, NOW);
      const stored = found.flatMap((memory) => (memory === undefined ? [] : [memory]));
      const removes = next(4) === 0 ? stored.slice(0, 1).map((memory) => memory.id) : [];
      const expiring = next(2) === 0 ? { expireTime: NOW + DAY } : {};
      const put = stored
        .filter((memory) => !removes.includes(memory.id))
        .map((memory) =>
          memory.state === "ACTIVE"
            ? superseded(memory, "other", NOW + round)
            : changed(memory, { state: "ACTIVE", supersededBy: "", tags: [`t${round}`], ...expiring }),
        );
      const create = [newMemory({ id: `s${round}`, text: `summary ${round}`, sessionId: "s", userId })];
      const conflicts = await write({
        run: run({ id, userId, state: "APPLYING" }),
        groups: [group(1, { state: "APPLIED" })],
        changes: changes({ expected: asStored(...stored), put, create, remove: removes }),
      });
      expect(conflicts).toEqual([]);
      if (next(2) === 0) await write({ run: endedRun(id, NOW + round, { userId }) });
      else await one.store.compactions.remove(SCOPE, [id]);
      if (next(5) === 0) await one.store.compactions.remove(SCOPE, [`run-${round - 1}`]);
    }
    expect(await broken()).toEqual([]);
    expect((await one.store.compactions.changedScopes({ since: NOW, changes: 1, limit: 9 })).length).toBe(3);
  });

  it("leave nothing of a deleted namespace, and what others have", async () => {
    const [gone, kept] = [subject({ tenant: "t", namespace: "gone" }), subject()];
    for (const one of [gone, kept]) {
      await createMemories(one, [newMemory({ id: "a", userId: "ana" }), newMemory({ id: "b" })]);
      const first = await startRun(one, { id: "first" });
      await first.write({ groups: [group(1)] });
      await first.write({ run: endedRun("first", NOW) });
      await (await startRun(one, { id: "second" })).write({ groups: [group(1)] });
      await one.store.compactions.replacePolicy(one.scope, undefined, {}, { now: NOW });
    }
    using redis = connectTo(url);
    const before = (await redis.hget(partition().namespaces, "t:gone")) ?? "";
    expect((await all(`*${before}*`)).length).toBeGreaterThan(5);
    await gone.store.namespaces.delete(gone.scope, { now: NOW });
    await eventually("all keys removed", async () => (await redis.scard(partition().deleted)) === 0);
    expect(await all(`*${before}*`)).toEqual([]);
    const { changedScopes, changedScopeCounts, unfinishedCompactions, endedCompactions } = partition();
    const sets = [changedScopes, changedScopeCounts, unfinishedCompactions, endedCompactions];
    const members = await Promise.all(sets.map((set) => redis.zrange(set, "0", "-1")));
    expect(members.map((found) => found.length)).toEqual([2, 2, 1, 1]);
    expect(members.flat().filter((member) => member.includes(before))).toEqual([]);
    expect(await broken()).toEqual([]);
    // More than one step of the scan.
    const many = Array.from({ length: 1200 }, (_, at) => newMemory({ id: `m${at}`, userId: `user-${at}` }));
    await createMemories(gone, many);
    await gone.store.namespaces.delete(gone.scope, { now: NOW });
    await eventually("all keys removed", async () => (await redis.scard(partition().deleted)) === 0);
    expect(await redis.zcard(changedScopes)).toBe(2);
    expect(await broken()).toEqual([]);
  });

  it("that are damaged are STORE_CORRUPT with what they are of, and can be deleted", async () => {
    const one = subject();
    await createMemories(one, [newMemory({ id: "a" })]);
    const { write } = await startRun(one, { userId: "ana" });
    await write({ groups: [group(1), group(2)] });
    await startRun(one, { id: "whole", userId: "ben" });
    const namespace = partition().namespace(await namespaceId());
    using redis = connectTo(url);
    await redis.hset(namespace.compactionGroups("run-1"), "2", "{");
    const options = { after: 0, limit: 9, maxBytes: 1000 };
    await expect(one.store.compactions.groups(SCOPE, "run-1", options)).rejects.toMatchObject({
      reason: "STORE_CORRUPT",
      detail: { metadata: { damaged: "a group of compaction run-1" } },
    });
    expect(await one.store.compactions.groups(SCOPE, "run-1", { ...options, limit: 1 })).toEqual([group(1)]);
    await redis.hset(namespace.compaction("run-1"), "rec", '{"id":');
    await expect(one.store.compactions.get(SCOPE, "run-1")).rejects.toMatchObject({
      reason: "STORE_CORRUPT",
      detail: { metadata: { damaged: "compaction run-1" } },
    });
    expect((await one.store.compactions.get(SCOPE, "whole"))?.run.id).toBe("whole");
    const again = () => one.store.compactions.start(SCOPE, run({ id: "again", userId: "ana" }), { now: NOW });
    expect(await reasonOf(again())).toBe("COMPACTION_RUNNING");
    await one.store.compactions.remove(SCOPE, ["run-1"]);
    expect((await again()).version).toBe(1);
    expect(await broken()).toEqual([]);
  });

  it("drop a vector of another model: what they create is pending then", async () => {
    const one = subject();
    await createMemories(one, [newMemory({ id: "a", embedding: READY }, { vector: vectorOf(1) })]);
    const { write } = await startRun(one);
    const embedding = { ...READY, model: "another" };
    const a = await memoryOf(one, "a");
    const summary = newMemory({ id: "s", kind: "SUMMARY", embedding }, { vector: vectorOf(2) });
    const put = [changed(a, { state: "ARCHIVED" })];
    expect(await write({ changes: changes({ expected: asStored(a), put, create: [summary] }) })).toEqual([]);
    expect((await memoryOf(one, "s")).embedding.state).toBe("PENDING");
    expect(await broken()).toEqual([]);
  });

  async function namespaceId(): Promise<string> {
    using redis = connectTo(url);
    return (await redis.hget(partition().namespaces, "t:n")) ?? "";
  }
});
