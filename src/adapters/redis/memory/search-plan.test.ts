import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { unitVector } from "../../../../test/support/builders.ts";
import { EVERY_STATE } from "../../../domain/memory/filter.ts";
import { Keys } from "../namespaces/keys.ts";
import { SeenNumbers } from "./counter-cache.ts";
import { SearchQuestion } from "./search-plan.ts";

const VECTORS = { algorithm: "HNSW", hnsw: { m: 16, efConstruction: 200, efRuntime: 10 } } as const;
const NAMESPACE = new Keys("test:", 1).partition(0).namespace("a1");

const NO_COUNTERS = {
  number: "a1",
  generation: 1,
  memories: 0,
  terms: 0,
  documentFrequencies: [],
  sizes: [],
};

describe("what a search asks of the index", () => {
  it("is put in fixed words and parameters, whatever callers write", () => {
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
        const options = { seen: new SeenNumbers(), vectors: VECTORS };
        const first = new SearchQuestion(query, NAMESPACE, options);
        expect(first.needsSizes).toBe(true);
        first.readSizes([[9]], { ...NO_COUNTERS, sizes: [9, 9, 9] });
        const question = new SearchQuestion(query, NAMESPACE, options);
        expect(question.needsSizes).toBe(false);
        const asked = question.searches("index", 1);
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

  it("is, of a namespace that nothing was seen of, first how large the filtered set is", () => {
    const options = { seen: new SeenNumbers(), vectors: VECTORS };
    const filter = { ...EVERY_STATE, userId: "ana" };
    const query = { vector: unitVector(1, 4), filter, limit: 10 };
    const question = new SearchQuestion(query, NAMESPACE, options);
    expect(question.needsSizes).toBe(true);
    expect(question.sizes("index")).toEqual([]);
    const tagged = new SearchQuestion(
      { ...query, filter: { ...filter, tagsAll: ["t"] } },
      NAMESPACE,
      options,
    );
    expect(tagged.sizes("index").map(([name]) => name)).toEqual(["FT.SEARCH"]);
    // Without a graph all that passes is compared, however much it is.
    const flat = { ...options, vectors: { ...VECTORS, algorithm: "FLAT" as const } };
    expect(new SearchQuestion(query, NAMESPACE, flat).needsSizes).toBe(false);
    expect(new SearchQuestion({ terms: ["a"], filter, limit: 10 }, NAMESPACE, options).needsSizes).toBe(
      false,
    );
  });
});
