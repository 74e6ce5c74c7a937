import { randomUUID } from "node:crypto";
import { afterEach, beforeEach } from "vitest";
import type { NamespaceKey } from "../../src/domain/access/tenancy.ts";
import { type Reason, RecollectError } from "../../src/domain/errors.ts";
import { unitVector } from "../support/builders.ts";

/** A store of any adapter, as a contract needs it. Other tests may use the same server at the same time. */
export interface StoreUnderTest<Store> extends AsyncDisposable {
  /** The open store; another object after `reopen`. */
  readonly store: Store;
  /** Closes the store and opens it on the same data, as a restart of the program does. */
  reopen(): Promise<void>;
}

/** Numbers in the vectors of all contracts; a store under test is opened for vectors of this length. */
export const VECTOR_DIMENSION = 20;

/** How many revisions of a memory a store under test keeps. */
export const MAX_REVISIONS = 3;

/** The vector of this seed, of the length that stores under test take. */
export function vectorOf(seed: number): Float32Array {
  return unitVector(seed, VECTOR_DIMENSION);
}

/** The subject of a test: a store, and a scope of its own. */
export interface Subject<Store> {
  readonly store: Store;
  readonly scope: NamespaceKey;
  reopen(): Promise<void>;
}

/** Opens a store before each test and disposes of it afterwards. To be called inside `describe`. */
export function useStore<Store>(open: () => Promise<StoreUnderTest<Store>>): Subject<Store> {
  let opened: StoreUnderTest<Store> | undefined;
  let scope = freshNamespaceKey();
  beforeEach(async () => {
    opened = await open();
    scope = freshNamespaceKey();
  });
  afterEach(async () => {
    await opened?.[Symbol.asyncDispose]();
    opened = undefined;
  });
  const current = (): StoreUnderTest<Store> => {
    if (opened === undefined) throw new Error("the store under test is open only while a test runs");
    return opened;
  };
  return {
    get store() {
      return current().store;
    },
    get scope() {
      return scope;
    },
    reopen: () => current().reopen(),
  };
}

/** A tenant and a namespace that have never been used. */
export function freshNamespaceKey(): NamespaceKey {
  return { tenant: `t-${randomUUID()}`, namespace: `n-${randomUUID()}` };
}

/** Scopes that a store could mix up with the first: one name shared, or the same letters cut elsewhere. */
export function lookAlikeNamespaceKeys(): readonly [NamespaceKey, ...NamespaceKey[]] {
  const name = randomUUID().slice(0, 13);
  return [
    { tenant: `${name}-a`, namespace: "b-c" },
    { tenant: `${name}-a`, namespace: "b" },
    { tenant: `${name}-a`, namespace: "b-c-d" },
    { tenant: `${name}-z`, namespace: "b-c" },
    { tenant: `${name}-a-b`, namespace: "c" },
    { tenant: name, namespace: "a-b-c" },
    { tenant: `${name}.a`, namespace: "b.c" },
    { tenant: `${name}.a.b`, namespace: "c" },
    { tenant: `${name}_a`, namespace: "b_c" },
    { tenant: `${name}_a_b`, namespace: "c" },
  ];
}

/** The reason of a rejection; undefined when the promise resolves. Rethrows any other failure. */
export async function reasonOf(promise: Promise<unknown>): Promise<Reason | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    if (error instanceof RecollectError) return error.reason;
    throw error;
  }
}

/** The result of an exact scan: the similarities of the `limit` nearest vectors, nearest first. */
export function nearestByScan(
  query: Float32Array,
  vectors: ReadonlyMap<string, Float32Array>,
  limit: number,
): { readonly id: string; readonly similarity: number }[] {
  return [...vectors]
    .map(([id, vector]) => ({ id, similarity: cosine(query, vector) }))
    .sort((a, b) => b.similarity - a.similarity)
    .slice(0, limit);
}

function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}

/** Similarities are compared to this many decimal places: engines add in different orders. */
export const SIMILARITY_PLACES = 5;

/** Texts that have broken stores before: scripts, directions, joined characters, quotes, operators. */
export const ODD_TEXTS: readonly (readonly [name: string, text: string])[] = [
  ["emoji joined from several", "👩‍👩‍👧‍👦 waves 🏳️‍🌈 at 👍🏽"],
  ["right to left", "שלום עולם، مرحبا بالعالم \u202Eabc\u202C"],
  ["Chinese and Japanese", "東京都の天気は晴れです。我喜欢喝绿茶"],
  ["Cyrillic, Greek and Hindi", "Привет мир Καλημέρα नमस्ते दुनिया"],
  ["combining marks", "e\u0301te\u0301 Zürich İstanbul ẞ"],
  ["letters beyond 16 bits", "𐌰𐌱𐌲 𝒳 𠜎𠜱"],
  ["a lone double quote", 'she said "wait'],
  ["lone single quotes", "it's O'Neil's 'quote"],
  [
    "search operators",
    'NEAR("a" b, 5) AND (x* OR -y) NOT col:term ^first {a b} @field:[1 2] $p | ~z %fuzzy% \\',
  ],
  ["control characters", "a\u0000b\tc\r\nd\u001Fe\u007F"],
  ["only white space and signs", " \n !?… "],
];
