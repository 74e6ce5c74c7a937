import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { memory, NOW } from "../../../../test/support/builders.ts";
import { type IndexedMemories, openIndexedMemories } from "../../../../test/support/indexed-memories.ts";
import { fieldsOf, randomFilter } from "../../../../test/support/random-filters.ts";
import { pick, randomMemory } from "../../../../test/support/random-memories.ts";
import { sharedRedisUrl } from "../../../../test/support/redis/run.ts";
import { COUNTS, seededInteger } from "../../../../test/support/scale.ts";
import { EVERY_STATE, type MemoryFilter, matchesFilter } from "../../../domain/memory/filter.ts";
import type { Memory } from "../../../domain/memory/memory.ts";
import { numberOf } from "../connection/replies.ts";
import { countCommand, readIndexReply, readTotal, searchCommand } from "./commands.ts";
import { memoryQuery } from "./query.ts";

const URL = await sharedRedisUrl();
const SCOPE = { tenant: "t", namespace: "n" };

describe("a filter as a query", () => {
  it("contains only fixed words and parameters, whatever callers write", () => {
    const text = fc.oneof(fc.string(), fc.constantFrom(...SYNTAX));
    fc.assert(
      fc.property(text, fc.array(text, { minLength: 1 }), (value, values) => {
        const query = memoryQuery("a1", {
          ...EVERY_STATE,
          userId: value,
          author: value,
          tagsAny: values,
          tagsAll: values,
          tagsNone: values,
          metadata: values,
          createTime: { start: 1, end: 2 },
          asOf: 3,
        });
        expect(query?.text).toMatch(
          /^(-?@tok:\{\$p\d+(\|\$p\d+)*\}|@created:\[\$p\d+ \(\$p\d+\]|-@(created|from|until):\[(\(\$p\d+ \+inf|-inf \$p\d+)\]| )+$/,
        );
        for (const param of query?.params.values() ?? []) expect(param).toMatch(/^([a-z][0-9a-f]{20}|\d)$/);
      }),
    );
  });

  it("is limited to one namespace, whatever the filter", () => {
    const filter: MemoryFilter = { states: ["ACTIVE"], userId: "ana", kinds: ["MESSAGE"] };
    const tokens = (number: string) => [...(memoryQuery(number, filter)?.params.values() ?? [])];
    expect(tokens("a1")).toHaveLength(3);
    expect(tokens("a1").filter((token) => tokens("a2").includes(token))).toEqual([]);
  });

  it.each<[string, Partial<MemoryFilter>]>([
    ["no state", { states: [] }],
    ["no kind", { kinds: [] }],
    ["no tag of a choice", { tagsAny: [] }],
    ["a time before itself", { createTime: { start: 2, end: 1 } }],
    ["no time at all", { eventTime: { start: 2, end: 2 } }],
    ["a number below itself", { importance: { min: 0.5, max: 0.4 } }],
    ["what is no number", { importance: { min: Number.NaN } }],
  ])("is undefined when nothing can pass: %s", (_name, filter) => {
    expect(memoryQuery("a1", { ...EVERY_STATE, ...filter })).toBeUndefined();
  });

  it("has upper bounds on the number of memories that pass", () => {
    const filter: MemoryFilter = { states: ["ACTIVE", "ARCHIVED"], userId: "ana", tagsAll: ["t"] };
    const query = memoryQuery("a1", filter);
    expect(query?.counted.map((tokens) => tokens.map((token) => token.charAt(0)))).toEqual([
      ["x", "x"],
      ["u"],
    ]);
    expect(query?.isCounted).toBe(false);
    expect(memoryQuery("a1", { states: ["ACTIVE"], userId: "ana" })?.isCounted).toBe(true);
  });
});

/** The syntax of queries, and input that breaks their parsers. */
const SYNTAX = [
  "*", "|", "(", ")", "{", "}", "[", "]", "-", "~", "%", "$", "$p0", "@tok:{*}", "\\", "\\\\", '"', "'", "=>", ":",
  "} | @tok:{*", "a} @created:[-inf +inf", "=>[KNN 5 @v1 $vector]", "w'*'", "\u0000", "a,b", "(1", "+inf", "",
]; // biome-ignore format: one list

describe.skipIf(URL === "")("a filter in Redis", () => {
  let index: IndexedMemories;
  beforeAll(async () => {
    index = await openIndexedMemories(URL, { dimension: 4 });
  });
  afterAll(() => index[Symbol.asyncDispose]());

  /** Ids that pass, and their number as Redis counts them. */
  const ask = async (filter: MemoryFilter): Promise<{ readonly ids: string[]; readonly count: number }> => {
    const namespace = index.keys.partition(0).namespace(index.numberOf(SCOPE));
    const query = memoryQuery(namespace.namespaceId, filter);
    if (query === undefined) return { ids: [], count: 0 };
    const [found, count] = await index.client.pipeline([
      searchCommand(index.indexes.memories, query, { fields: ["created"], limit: 10_000 }),
      countCommand(index.indexes.memories, query),
    ]);
    const ids: string[] = [];
    readIndexReply(found, namespace, (id) => ids.push(id));
    return { ids: ids.sort(), count: numberOf((count as readonly Buffer[])[0]) };
  };
  const expectSame = async (memories: readonly Memory[], filter: MemoryFilter): Promise<void> => {
    const passing = memories
      .filter((one) => matchesFilter(one, filter, Number.NEGATIVE_INFINITY))
      .map(({ id }) => id);
    expect({ filter, ...(await ask(filter)) }).toEqual({
      filter,
      ids: passing.sort(),
      count: passing.length,
    });
  };

  it("matches as matchesFilter does, for every field, after changes and deletions too", async () => {
    const integer = seededInteger(7);
    const random = () => integer(2 ** 30) / 2 ** 30;
    const all = Array.from({ length: 300 }, (_, at) => randomMemory(random, `m${at}`));
    const put = (memories: readonly Memory[]) =>
      index.put(
        SCOPE,
        memories.map((memory) => ({ memory })),
      );
    await put(all);
    // Each of these is written again as another; the last of them are deleted.
    const changed = all.slice(0, 200).map(({ id }) => randomMemory(random, id));
    await index.remove(
      SCOPE,
      all.slice(0, 150).map((memory) => ({ memory })),
    );
    await put(changed.slice(0, 150));
    await put(changed.slice(150));
    await index.remove(
      SCOPE,
      changed.slice(0, 50).map((memory) => ({ memory })),
    );
    const memories = [...changed.slice(50), ...all.slice(200)];
    await index.put(
      { ...SCOPE, namespace: "other" },
      all.map((memory) => ({ memory })),
    );

    const filters = Array.from({ length: COUNTS.filters }, () => {
      const { lastAccessTime: _, ...filter } = randomFilter(random, pick(random, memories));
      return filter;
    });
    for (const filter of filters) await expectSame(memories, filter);
    const asked = [...fieldsOf(filters)].filter(([field]) => field !== "lastAccessTime");
    expect(asked.filter(([, times]) => times === 0)).toEqual([]);
  });

  it("treats query syntax in values as text", async () => {
    const scope = { ...SCOPE, namespace: "signs" };
    const memories = SYNTAX.map((sign, at) =>
      memory({ id: `m${at}`, userId: sign, author: sign, tags: [sign, "every"], metadata: { [sign]: sign } }),
    );
    await index.put(
      scope,
      memories.map((one) => ({ memory: one })),
    );
    for (const sign of SYNTAX) {
      const passing = memories.filter(({ userId }) => userId === sign).length;
      const namespace = index.keys.partition(0).namespace(index.numberOf(scope));
      const path = `${JSON.stringify([sign])}=${JSON.stringify(sign)}`;
      for (const [filter, count] of [
        [{ userId: sign }, passing],
        [{ author: sign }, passing],
        [{ tagsAny: [sign] }, passing],
        [{ tagsAll: [sign, "every"] }, passing],
        [{ tagsNone: [sign] }, memories.length - passing],
        [{ metadata: [path] }, passing],
      ] as const) {
        const query = memoryQuery(namespace.namespaceId, { ...EVERY_STATE, ...filter });
        if (query === undefined) throw new Error("nothing asked");
        const reply = await index.client.command(...countCommand(index.indexes.memories, query));
        expect({ filter, count: readTotal(reply) }).toEqual({ filter, count });
      }
    }
  });

  it("compares numbers with full precision", async () => {
    const scope = { ...SCOPE, namespace: "numbers" };
    const near = (value: number): number[] => {
      const bits = new Float64Array([value]);
      const whole = new BigInt64Array(bits.buffer);
      const steps: number[] = [];
      for (const step of [-1n, 0n, 1n]) {
        const other = new BigInt64Array([(whole[0] ?? 0n) + step]);
        steps.push(new Float64Array(other.buffer)[0] ?? 0);
      }
      return steps;
    };
    const importances = [0.1, 0.2, 0.30000000000000004, Math.fround(0.7), 0.7, 1 / 3].flatMap(near);
    const times = [NOW, NOW + 0.25, -1, -(2 ** 53), 2 ** 53, 8.64e15, 123456789012345];
    const memories = importances.flatMap((importance, a) =>
      times.map((createTime, b) =>
        memory({ id: `m${a}.${b}`, importance, createTime, eventTime: createTime }),
      ),
    );
    await index.put(
      scope,
      memories.map((one) => ({ memory: one })),
    );
    const namespace = index.keys.partition(0).namespace(index.numberOf(scope));
    const count = async (filter: MemoryFilter): Promise<number> => {
      const query = memoryQuery(namespace.namespaceId, filter);
      if (query === undefined) return 0;
      return readTotal(await index.client.command(...countCommand(index.indexes.memories, query)));
    };
    const filters: Partial<MemoryFilter>[] = [
      ...importances.flatMap((value) => [
        { importance: { min: value } },
        { importance: { max: value } },
        { importance: { min: value, max: value } },
      ]),
      ...times.flatMap((time) => [
        { createTime: { start: time } },
        { createTime: { end: time } },
        { eventTime: { start: time, end: time + 1 } },
      ]),
    ];
    for (const given of filters) {
      const filter = { ...EVERY_STATE, ...given };
      const passing = memories.filter((one) => matchesFilter(one, filter, NOW)).length;
      expect({ given, count: await count(filter) }).toEqual({ given, count: passing });
    }
  });
});
