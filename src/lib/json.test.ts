import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson, type Json, jsonDepth } from "./json.ts";

const json = fc.jsonValue({ stringUnit: "binary" }) as fc.Arbitrary<Json>;

/** The same value with the keys of every object in the opposite order. */
function reversedKeys(value: Json): Json {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(reversedKeys);
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, child]) => [key, reversedKeys(child)]),
  );
}

describe("canonicalJson", () => {
  it("does not depend on the order of keys", () => {
    fc.assert(
      fc.property(json, (value) => canonicalJson(reversedKeys(value)) === canonicalJson(value)),
      { seed: 1, numRuns: 300 },
    );
  });

  it("is injective: two values never have the same text", () => {
    fc.assert(
      fc.property(json, (value) =>
        isDeepStrictEqual(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value))),
      ),
      { seed: 1, numRuns: 300 },
    );
  });

  it.each<[string, Json, Json]>([
    ["a number and its digits", 1, "1"],
    ["null and the word null", null, "null"],
    ["a list and its only member", [1], 1],
    ["a nested list and a flat one", [[1, 2]], [1, 2]],
    ["an empty object and an empty list", {}, []],
    ["a key that is absent and one that is null", {}, { a: null }],
    ["a dotted key and a path", { "a.b": 1 }, { a: { b: 1 } }],
    ["texts that differ in case", "A", "a"],
    ["composed and decomposed letters", "\u00e9", "e\u0301"],
  ])("tells %s apart", (_, one, other) => {
    expect(canonicalJson(one)).not.toBe(canonicalJson(other));
  });

  it.each<[string, Json, string]>([
    ["white space", { a: [1, { b: null }] }, '{"a":[1,{"b":null}]}'],
    ["a fraction of zero", JSON.parse("1.0"), "1"],
    ["a minus before zero", -0, "0"],
    ["an exponent", JSON.parse("1e2"), "100"],
    ["the order of insertion", { b: 1, a: 2, B: 3, é: 4 }, '{"B":3,"a":2,"b":1,"é":4}'],
  ])("leaves out %s", (_, value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  it("keeps a key named __proto__", () => {
    expect(canonicalJson(JSON.parse('{"__proto__":{"a":1}}'))).toBe('{"__proto__":{"a":1}}');
  });
});

describe("jsonDepth", () => {
  it.each<[Json, number]>([
    ["a", 0],
    [null, 0],
    [{}, 1],
    [[], 1],
    [{ a: 1, b: "two" }, 1],
    [{ a: { b: [] }, c: 1 }, 3],
    [[[[1]]], 3],
  ])("of %j is %i", (value, depth) => {
    expect(jsonDepth(value)).toBe(depth);
  });

  it("grows by one with each layer around a value", () => {
    fc.assert(
      fc.property(
        json,
        (value) =>
          jsonDepth([0, value]) === jsonDepth(value) + 1 &&
          jsonDepth({ a: value, b: 0 }) === jsonDepth(value) + 1,
      ),
      { seed: 1, numRuns: 200 },
    );
  });
});
