import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NOW, newMemory, unitVector } from "../../../test/support/builders.ts";
import { quiet } from "../../../test/support/quiet.ts";
import { SMALL_RESERVED_SPACE } from "../../../test/support/small-reserved-space.ts";
import { openEmbeddedBackend } from "./backend.ts";
import { EXACT_LIMIT } from "./vectors/vector-plan.ts";

const SCOPE = { tenant: "t", namespace: "n" };
const DIMENSION = 8;
const COUNT = EXACT_LIMIT + 10;
const BATCH = 500;

describe("the embedded backend", () => {
  let directory: string;
  const warnings: string[] = [];
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "recollect-backend-"));
    warnings.length = 0;
  });
  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  const open = () =>
    openEmbeddedBackend({
      directory,
      embedder: { provider: "test", model: "random", dimension: DIMENSION },
      ...quiet,
      reserved: SMALL_RESERVED_SPACE,
      graphAbove: EXACT_LIMIT,
      log: { ...quiet.log, warn: (_, message) => void warnings.push(message) },
    });
  const near = async (backend: Awaited<ReturnType<typeof open>>, seed: number) => {
    const query = { vector: unitVector(seed, DIMENSION), filter: { states: ["ACTIVE" as const] }, limit: 1 };
    return (await backend.memories.search.search(SCOPE, query, NOW)).byVector[0]?.id;
  };

  it("saves a vector graph, which the next start loads without a rebuild", async () => {
    const graph = join(directory, "vectors", "1.usearch");
    await (async () => {
      await using backend = await open();
      for (let start = 0; start < COUNT; start += BATCH) {
        const items = Array.from({ length: Math.min(BATCH, COUNT - start) }, (_, index) =>
          newMemory({ id: `m${start + index}` }, { vector: unitVector(start + index, DIMENSION) }),
        );
        await backend.memories.writer.create(SCOPE, items, { now: NOW });
      }
      expect(await near(backend, 7)).toBe("m7");
    })();
    // One vector is added to the graph in each idle tick of the event loop.
    const count = () =>
      existsSync(graph)
        ? (JSON.parse(readFileSync(`${graph}.seal.json`, "utf8")) as { count: number }).count
        : 0;
    for (let opened = 0; opened < 100 && count() < COUNT; opened += 1) {
      await using backend = await open();
      expect(await near(backend, 7)).toBe("m7");
      for (let tick = 0; tick < 2 * COUNT; tick += 1) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(count()).toBe(COUNT);
    const saved = statSync(graph);
    expect(saved.size).toBeGreaterThan(0);

    await (async () => {
      await using backend = await open();
      expect(await near(backend, 8)).toBe("m8");
    })();
    expect(warnings).toEqual([]);
    // A rebuilt graph would have been saved again.
    expect(statSync(graph).mtimeMs).toBe(saved.mtimeMs);
  });
});
