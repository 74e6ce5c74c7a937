import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openEmbeddedBackend } from "../../src/adapters/embedded/backend.ts";
import type { Memory } from "../../src/domain/memory/memory.ts";
import type { Backend } from "../../src/ports/backend.ts";
import { NOW, newMemory } from "../support/builders.ts";
import { quiet } from "../support/quiet.ts";
import { openTestRedis, type TestRedis } from "../support/redis/backend.ts";
import { connectTo } from "../support/redis/client.ts";
import { describeSharedRedis } from "../support/redis/run.ts";
import { SMALL_RESERVED_SPACE } from "../support/small-reserved-space.ts";
import { VECTOR_DIMENSION, vectorOf } from "./store-under-test.ts";

const EMBEDDER = { provider: "contract", model: "random", dimension: VECTOR_DIMENSION };
const SCOPE = { tenant: "t", namespace: "n" };
/** Begins every word of the deleted memories; upper and lower case, for terms are folded. */
const SECRET = /zqxjv[a-z]+/gi;
const KEPT = "kwpbfstays";

/** Words of 5 and more letters that begin like SECRET and do not occur anywhere else. */
const secret = (name: string): string => `zqxjv${name}`;

/** Everything that a store holds, in its own form. */
type ReadAll = () => Promise<readonly Buffer[]>;

function wordsIn(contents: readonly Buffer[]): Set<string> {
  const words = contents.flatMap((one) => one.toString("latin1").match(SECRET) ?? []);
  return new Set(words.map((word) => word.toLowerCase()));
}

/** What is said about the deletion of memories, which have been corrected, merged and superseded before. */
function erasureCases(store: { readonly backend: () => Backend; readonly readAll: ReadAll }): void {
  const text = (name: string, long: boolean): string =>
    long ? `${secret(name)} ${"and so on ".repeat(2000)}` : secret(name);
  const write = async (given: Partial<Memory>): Promise<void> => {
    const item = newMemory(
      { userId: "gone", metadata: { word: secret("metadata") }, tags: [secret("tag")], ...given },
      { vector: vectorOf(1), onDuplicate: "ALLOW" },
    );
    await store.backend().memories.writer.create(SCOPE, [item], { now: NOW });
  };
  const correct = async (id: string, next: string): Promise<void> => {
    const { reader, writer } = store.backend().memories;
    const [current] = await reader.get(SCOPE, [id], NOW);
    if (current === undefined) throw new Error(`no memory ${id}`);
    const { access: _, etag, ...content } = current;
    const { onDuplicate: __, ...replacement } = newMemory(
      { ...content, text: next, updateTime: current.updateTime + 1 },
      { vector: vectorOf(2) },
    );
    await writer.replace(SCOPE, etag, replacement, { now: NOW });
  };
  /** Memories with two revisions each, which are superseded in the end. */
  const fill = async (long: boolean): Promise<void> => {
    for (const id of ["a", "b", "c"]) {
      await write({ id, text: text(`first${id}`, long) });
      await correct(id, text(`second${id}`, long));
      await correct(id, text(`third${id}`, long));
      await write({ id: `new-${id}`, text: text(`fourth${id}`, long), supersedes: [id] });
    }
    await store
      .backend()
      .memories.writer.create(SCOPE, [newMemory({ id: "kept", text: KEPT })], { now: NOW });
  };
  const holdsKept = (contents: readonly Buffer[]): boolean => contents.some((one) => one.includes(KEPT));

  it.each([
    ["short", false],
    ["long", true],
  ])("leaves no word of %s memories, nor of what they were before, in the store", async (_, long) => {
    await fill(long);
    const before = await store.readAll();
    // The search finds what is there.
    expect(wordsIn(before).size).toBeGreaterThan(12);
    const { writer, purge } = store.backend().memories;
    await writer.delete(SCOPE, "a", { now: NOW });
    await writer.delete(SCOPE, "new-a", { now: NOW });
    const filter = { states: ["ACTIVE" as const, "SUPERSEDED" as const], userId: "gone" };
    expect(await purge.run(SCOPE, filter, { now: NOW })).toBe(4);
    const after = await store.readAll();
    expect([...wordsIn(after)]).toEqual([]);
    expect(holdsKept(after)).toBe(true);
    await store.backend().memories.writer.delete(SCOPE, "kept", { now: NOW });
  });

  it("leaves none of a deleted namespace", async () => {
    await fill(false);
    await store.backend().namespaces.delete(SCOPE, { now: NOW });
    const removed = async (): Promise<string[]> => [...wordsIn(await store.readAll())];
    await expect.poll(removed, { timeout: 20_000 }).toEqual([]);
  });
}

describe("a deletion in the embedded store", () => {
  let directory: string;
  let backend: Backend;
  const open = () =>
    openEmbeddedBackend({ directory, embedder: EMBEDDER, ...quiet, reserved: SMALL_RESERVED_SPACE });
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "recollect-erasure-"));
    backend = await open();
  });
  afterAll(async () => {
    await backend[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  erasureCases({
    backend: () => backend,
    readAll: async () => {
      // The end of the server moves the write-ahead log into the file.
      await backend[Symbol.asyncDispose]();
      const names = await readdir(directory, { recursive: true, withFileTypes: true });
      const files = names.filter((one) => one.isFile());
      const contents = await Promise.all(
        files.map(({ parentPath, name }) => readFile(join(parentPath, name))),
      );
      backend = await open();
      await backend.checked;
      return contents;
    },
  });
});

await describeSharedRedis("a deletion in Redis", ({ url }) => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await openTestRedis(url, { embedder: EMBEDDER });
  });
  afterAll(() => redis[Symbol.asyncDispose]());

  erasureCases({
    backend: () => redis.backend,
    readAll: async () => {
      using client = connectTo(url);
      const contents: Buffer[] = [];
      let cursor = "0";
      do {
        const [next, keys] = await client.scan(cursor, "MATCH", `${redis.name}:*`, "COUNT", "1000");
        for (const key of keys) contents.push(Buffer.from(key), ...(await partsOf(client, key)));
        cursor = next;
      } while (cursor !== "0");
      return contents;
    },
  });

  /** Every part of a value. */
  async function partsOf(client: ReturnType<typeof connectTo>, key: string): Promise<readonly Buffer[]> {
    const type = await client.type(key);
    const flat = (reply: unknown): Buffer[] =>
      Array.isArray(reply) ? reply.flatMap(flat) : [reply as Buffer];
    switch (type) {
      case "string":
        return flat(await client.getBuffer(key));
      case "hash":
        return flat(await client.callBuffer("HGETALL", key));
      case "zset":
        return flat(await client.callBuffer("ZRANGE", key, 0, -1));
      case "set":
        return flat(await client.callBuffer("SMEMBERS", key));
      case "stream":
        return flat(await client.callBuffer("XRANGE", key, "-", "+"));
      case "none":
        return [];
      default:
        throw new Error(`a ${type} that this test does not read: ${key}`);
    }
  }
});
