import { describe, expect, it } from "vitest";
import { memory, NOW } from "../../../test/support/builders.ts";
import type { StoredMemory } from "../../domain/memory/memory.ts";
import type { MemoryReader } from "../../ports/memory/reader.ts";
import { firstFitting, readNeighbors, withNeighbors } from "./neighbors.ts";

const SCOPE = { tenant: "t", namespace: "n" };
const OPTIONS = { filter: { states: ["ACTIVE" as const] }, count: 1, maxBytes: 1, now: NOW };

interface Result {
  readonly memory: StoredMemory;
  readonly neighbors?: readonly StoredMemory[];
}
const results = (count: number): Result[] =>
  Array.from({ length: count }, (_, at) => ({ memory: memory({ id: `m${at}` }) }));

/** Gives each id one neighbour, for so many ids at once, and notes which were asked for. */
function readerOf(atOnce: number) {
  const asked: string[][] = [];
  const neighbors: MemoryReader["neighbors"] = async (_, ids) => {
    asked.push([...ids]);
    return ids.slice(0, atOnce).map((id) => [memory({ id: `beside-${id}` })]);
  };
  return { neighbors, asked };
}

describe("withNeighbors", () => {
  const run = async (atOnce: number, room: number, count = 5) => {
    const reader = readerOf(atOnce);
    const found = results(count);
    const ids = found.map((one) => one.memory.id);
    const first = await readNeighbors(reader, SCOPE, ids, OPTIONS);
    const fitting = (some: readonly Result[]): number => Math.min(some.length, room);
    const { returned, truncated } = await withNeighbors(reader, SCOPE, found, {
      ...{ first, fitting, options: OPTIONS },
    });
    const beside = returned.map(({ neighbors }) => neighbors?.map(({ id }) => id));
    return { beside, truncated, asked: reader.asked.map((one) => one.length) };
  };
  const ofFirst = (count: number): string[][] => Array.from({ length: count }, (_, at) => [`beside-m${at}`]);

  it("reads them at once where they are small", async () => {
    expect(await run(5, 5)).toEqual({ beside: ofFirst(5), truncated: false, asked: [5] });
  });

  it("continues where reading ended, while there is room", async () => {
    expect(await run(2, 5)).toEqual({ beside: ofFirst(5), truncated: false, asked: [5, 3, 1] });
  });

  it("reads none beyond the answer", async () => {
    expect(await run(2, 1)).toEqual({ beside: ofFirst(1), truncated: true, asked: [5] });
    expect(await run(2, 3)).toEqual({ beside: ofFirst(3), truncated: true, asked: [5, 3] });
    expect(await run(2, 2)).toEqual({ beside: ofFirst(2), truncated: true, asked: [5, 3] });
  });

  it("asks for none without results", async () => {
    expect(await run(2, 3, 0)).toEqual({ beside: [], truncated: false, asked: [] });
  });
});

describe("firstFitting", () => {
  it("leaves out the neighbours of the first where it does not fit with them", () => {
    const found = results(2).map((one) => ({ ...one, neighbors: [memory({ id: "beside" })] }));
    const [first] = found;
    expect(firstFitting(found, () => 0)).toEqual({
      returned: [{ ...first, neighbors: [] }],
      truncated: true,
    });
    expect(firstFitting(found, () => 1)).toEqual({ returned: [first], truncated: true });
    expect(firstFitting(found, () => 2)).toEqual({ returned: found, truncated: false });
    expect(firstFitting([], () => 0)).toEqual({ returned: [], truncated: false });
  });
});
