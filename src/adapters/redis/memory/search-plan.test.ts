import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NOW, unitVector } from "../../../../test/support/builders.ts";
import { EVERY_STATE } from "../../../domain/memory/filter.ts";
import { Keys } from "../namespaces/keys.ts";
import { CounterCache } from "./counter-cache.ts";
import { planSearch } from "./search-plan.ts";

const VECTORS = { algorithm: "HNSW", hnsw: { m: 16, efConstruction: 200, efRuntime: 10 } } as const;
const NAMESPACE = new Keys("test:", 1).partition(0).namespace("a1");

const OPTIONS = { namespace: NAMESPACE, vectors: VECTORS, index: "index", generation: 1 };

const NO_COUNTERS = {
  namespaceId: "a1",
  generation: 1,
  indexed: undefined,
  memories: 0,
  terms: 0,
  documentFrequencies: [],
  sizes: [],
};

describe("the plan of a search", () => {
  it("consists of fixed words and parameters, whatever callers write", () => {
    const syntax = fc.constantFrom(
      "*",
      "|",
      ")=>[KNN 5 @v1 $vector]",
      "} @tok:{*",
      "$t0",
      "-",
      "%",
      '"',
      "@terms:a",
      "\\",
    );
    const text = fc.oneof(fc.string({ minLength: 1 }), syntax);
    const texts = fc.uniqueArray(text, { minLength: 1, maxLength: 70 });
    fc.assert(
      fc.property(texts, texts, text, (terms, tags, userId) => {
        const query = {
          vector: unitVector(1, 4),
          terms,
          filter: { ...EVERY_STATE, userId, tagsAny: tags, tagsNone: tags },
          limit: 10,
        };
        const cache = new CounterCache();
        const options = { ...OPTIONS, counters: cache.of("a1") };
        const first = planSearch(query, options).read([[9]], { ...NO_COUNTERS, sizes: [9, 9, 9] }, NOW);
        expect(first.answer).toBeUndefined();
        cache.update("a1", first.updates);
        const asked = planSearch(query, options).commands;
        const clauses = String.raw`-?@tok:\{\$p\d+(\|\$p\d+)*\}( -?@tok:\{\$p\d+(\|\$p\d+)*\})*`;
        expect(asked.map(([, , said]) => said)).toEqual([
          expect.stringMatching(
            new RegExp(
              String.raw`^\(${clauses}\)=>\[KNN \$k @v1 \$vector HYBRID_POLICY ADHOC_BF AS distance\]$`,
            ),
          ),
          expect.stringMatching(new RegExp(String.raw`^(\|?\(${clauses} @terms:\$t\d+\))+$`)),
        ]);
        const words = asked.flatMap((command) => command.slice(3)).filter((word) => !Buffer.isBuffer(word));
        expect(words.filter((word) => !/^[A-Za-z0-9_.]+$/.test(String(word)))).toEqual([]);
      }),
    );
  });

  it("first counts the memories that pass the filter, when the counters are not cached", () => {
    const options = { ...OPTIONS, counters: () => undefined };
    const filter = { ...EVERY_STATE, userId: "ana" };
    const query = { vector: unitVector(1, 4), filter, limit: 10 };
    /** Names of the commands beside the counters, and whether they only count the memories that pass. */
    const planned = (...plan: Parameters<typeof planSearch>) => {
      const { commands, read } = planSearch(...plan);
      const isOfSizes = read([[0], [0]], NO_COUNTERS, NOW).answer === undefined;
      return { names: commands.map(([name]) => name), isOfSizes };
    };
    // The sizes are part of the counters.
    expect(planned(query, options)).toEqual({ names: [], isOfSizes: true });
    const tagged = { ...query, filter: { ...filter, tagsAll: ["t"] } };
    expect(planned(tagged, options)).toEqual({ names: ["FT.SEARCH"], isOfSizes: true });
    // Without a graph all memories that pass are compared.
    const flat = { ...options, vectors: { ...VECTORS, algorithm: "FLAT" as const } };
    expect(planned(query, flat)).toEqual({ names: ["FT.SEARCH"], isOfSizes: false });
    const byWords = { terms: ["a"], filter, limit: 10 };
    expect(planned(byWords, options)).toEqual({ names: ["FT.SEARCH"], isOfSizes: false });
  });

  it.each([
    // Of 4,000 memories in a store of their own a graph finds 50 sooner, and comparing them all does among a million.
    [undefined, "BATCHES"],
    [4000, "BATCHES"],
    [1_000_000, "ADHOC_BF"],
  ])("is by the size of the index: %s memories, %s", (indexed, policy) => {
    const query = { vector: unitVector(1, 4), filter: { ...EVERY_STATE, userId: "ana" }, limit: 50 };
    const cache = new CounterCache();
    const options = { ...OPTIONS, counters: cache.of("a1") };
    const counters = { ...NO_COUNTERS, indexed, sizes: [4000, 4000, 4000] };
    cache.update("a1", planSearch(query, options).read([], counters, NOW).updates);
    const [[, , text] = []] = planSearch(query, options).commands;
    expect(text).toContain(`HYBRID_POLICY ${policy}`);
  });

  it("is the same for the same counters, whatever was read before", () => {
    const filter = { ...EVERY_STATE, userId: "ana" };
    const query = { vector: unitVector(1, 4), terms: ["a", "b"], filter, limit: 2 };
    const options = { ...OPTIONS, counters: () => 5000 };
    const plan = planSearch(query, options);
    // Too few matches for batches: the plan lowers the share that passes.
    const { updates, answer } = plan.read([[0], [0]], { ...NO_COUNTERS, sizes: [5000, 5000] }, NOW);
    expect(answer?.isSettled).toBe(false);
    expect([...updates.values()]).toContain(0);
    expect(planSearch(query, options).commands).toEqual(plan.commands);
    expect(planSearch(query, { ...options, counters: (name) => updates.get(name) }).commands).not.toEqual(
      plan.commands,
    );
  });
});
