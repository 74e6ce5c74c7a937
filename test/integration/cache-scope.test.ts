import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  CacheGuard,
  CacheScopeSchema,
  ChatMessageSchema,
  type LookupCacheRequestSchema,
  LookupCacheResponse_Hit_Match as Match,
  LookupCacheResponse_Miss_Reason as Reason,
} from "#gen/recollect/v1/cache_pb.js";
import { ROLES } from "../../src/domain/access/tenancy.ts";
import { canonicalJson, type Json, type JsonObject } from "../../src/lib/json.ts";
import { testKey } from "../support/api-keys.ts";
import { LONG_RUN, scale } from "../support/scale.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

/** Cases of a changed field, for each backend. */
const CASES = scale(300, 10_000);

/** Cases that are looked up at once. */
const AT_ONCE = 16;

/** Of a lookup whose outcome says that the server was busy. */
const ATTEMPTS = 10;

/** All prompts get this vector: their similarity is 1, so that the scope alone keeps them apart. */
const VECTOR = Float32Array.of(1, 0, 0, 0);
const ALL_ALIKE = {
  identity: { provider: "test", model: "all-alike", dimension: VECTOR.length },
  embed: async (texts: readonly string[]) => texts.map(() => ({ vector: VECTOR, truncated: false })),
};

/** A namespace for each strictness: its own, whatever that of the server is. */
const NAMESPACES = {
  strict: CacheGuard.STRICT,
  balanced: CacheGuard.BALANCED,
  closed: CacheGuard.CLOSED,
  off: CacheGuard.OFF,
} as const;
type Namespace = keyof typeof NAMESPACES;
const NAMES = Object.keys(NAMESPACES) as Namespace[];

const KEYS = {
  base: testKey({ tenant: "crimson", principal: "app", roles: ROLES }),
  /** Another credential of the same tenant. */
  colleague: testKey({ tenant: "crimson", principal: "other-app", roles: ROLES }),
  /** The same names in another tenant. */
  stranger: testKey({ tenant: "turquoise", principal: "app", roles: ROLES }),
};

interface Turn {
  readonly role: string;
  readonly content: string;
  readonly name: string;
  readonly extra: JsonObject;
}

/** All that a lookup is about, apart from the text of its last message. */
interface Place {
  readonly caller: keyof typeof KEYS;
  readonly namespace: Namespace;
  readonly model: string;
  readonly systemPrompt: string;
  readonly parameters: JsonObject;
  readonly tools: readonly JsonObject[];
  readonly responseFormat: JsonObject;
  readonly locale: string;
  readonly knowledgeVersion: string;
  readonly principal: string;
  readonly shared: boolean;
  readonly history: readonly Turn[];
  /** Name and extra of the last message, whose content is the prompt. */
  readonly last: Pick<Turn, "name" | "extra">;
}

const text = (max = 40): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constantFrom("a", "A", "ab", "Be brief.", "be brief.", "Zürich 🎉", "0", "null", " a", "a "),
    fc.string({ unit: "binary", minLength: 1, maxLength: max }),
  );

const scalar: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json[]>(0, 1, 0.1, 1e21, true, false, null, "", "0", "1", "true"),
  text(8),
);
const { json } = fc.letrec<{ json: Json; object: JsonObject }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    scalar,
    fc.array(tie("json"), { maxLength: 3 }),
    tie("object"),
  ),
  object: fc.dictionary(fc.constantFrom("temperature", "top_p", "type", "x"), tie("json"), {
    maxKeys: 3,
  }) as fc.Arbitrary<JsonObject>,
}));
const object = fc.dictionary(fc.constantFrom("temperature", "max_tokens", "type", "name", "x"), json, {
  maxKeys: 4,
}) as fc.Arbitrary<JsonObject>;
const turn: fc.Arbitrary<Turn> = fc.record({
  role: fc.constantFrom("user", "assistant", "system", "tool"),
  content: text(),
  name: fc.constantFrom("", "ana", "bo"),
  extra: object,
});

const place: fc.Arbitrary<Place> = fc.record({
  caller: fc.constant("base" as const),
  namespace: fc.constantFrom(...NAMES),
  model: text(),
  systemPrompt: fc.oneof(fc.constant(""), text()),
  parameters: object,
  tools: fc.array(object, { maxLength: 3 }),
  responseFormat: object,
  locale: fc.constantFrom("", "de", "de-AT"),
  knowledgeVersion: fc.constantFrom("", "1", "2"),
  principal: fc.constant(""),
  shared: fc.constant(false),
  history: fc.array(turn, { maxLength: 4 }),
  last: fc.record({ name: fc.constantFrom("", "ana"), extra: object }),
});

/** One changed field; undefined where the chosen change is none. */
type Change = (base: Place, random: (limit: number) => number, other: Place) => Place | undefined;

/** Another text: a small change of this one, or another one. */
function otherText(value: string, random: (limit: number) => number, other: string): string {
  const variants = [
    `${value}x`,
    ` ${value}`,
    value.slice(0, -1),
    value.toUpperCase(),
    value.toLowerCase(),
    other,
  ];
  return variants[random(variants.length)] ?? "";
}

/** Another object: a member added, removed or changed at any depth, or another one. */
function otherObject(value: JsonObject, random: (limit: number) => number, other: JsonObject): JsonObject {
  const keys = Object.keys(value);
  const key = keys[random(keys.length)];
  if (key === undefined || random(4) === 0) return random(2) === 0 ? other : { ...value, added: random(3) };
  const { [key]: member, ...rest } = value;
  if (random(3) === 0) return rest;
  return { ...value, [key]: otherJson(member ?? null, random) };
}

function otherJson(value: Json, random: (limit: number) => number): Json {
  if (typeof value === "number") return random(2) === 0 ? value + 1 : String(value);
  if (typeof value === "string") return random(2) === 0 ? `${value}x` : [value];
  if (typeof value === "boolean") return random(2) === 0 ? !value : String(value);
  if (value === null) return random(2) === 0 ? "" : 0;
  if (Array.isArray(value)) {
    const list: readonly Json[] = value;
    return random(2) === 0 ? [...list, null] : list.slice(1).length === list.length ? [null] : list.slice(1);
  }
  return otherObject(value as JsonObject, random, { another: true });
}

/** The list with the item at a random place changed; undefined for an empty one. */
function changedItem<T>(
  items: readonly T[],
  random: (limit: number) => number,
  change: (item: T) => T,
): readonly T[] | undefined {
  const at = random(items.length);
  return items.length === 0 ? undefined : items.map((item, index) => (index === at ? change(item) : item));
}

function inHistory(change: (turn: Turn, random: (limit: number) => number, other: Place) => Turn): Change {
  return (base, random, other) => {
    const history = changedItem(base.history, random, (one) => change(one, random, other));
    return history === undefined ? undefined : { ...base, history };
  };
}

/** A change of each field of CacheScope, by its name in the API. */
const OF_THE_SCOPE: Readonly<Record<string, Change>> = {
  model: (base, random, { model }) => ({ ...base, model: otherText(base.model, random, model) }),
  system_prompt: (base, random, { systemPrompt }) => ({
    ...base,
    systemPrompt: otherText(base.systemPrompt, random, systemPrompt),
  }),
  parameters: (base, random, { parameters }) => ({
    ...base,
    parameters: otherObject(base.parameters, random, parameters),
  }),
  tools: (base, random, other) => {
    const changes = [
      [...base.tools, { name: "another" }],
      base.tools.slice(1),
      base.tools.toReversed(),
      other.tools,
      changedItem(base.tools, random, (tool) => otherObject(tool, random, { another: true })) ?? [{}],
    ];
    return { ...base, tools: changes[random(changes.length)] ?? [] };
  },
  response_format: (base, random, { responseFormat }) => ({
    ...base,
    responseFormat: otherObject(base.responseFormat, random, responseFormat),
  }),
  locale: (base, random, { locale }) => ({ ...base, locale: otherText(base.locale, random, locale) }),
  knowledge_version: (base, random, { knowledgeVersion }) => ({
    ...base,
    knowledgeVersion: otherText(base.knowledgeVersion, random, knowledgeVersion),
  }),
  principal: (base, random) => ({ ...base, principal: ["ana", "Ana", "app", "crimson"][random(4)] ?? "" }),
  shared: (base) => ({ ...base, shared: true }),
};

/** A change of each field of the messages before the last one, by its name in the API. */
const OF_A_MESSAGE: Readonly<Record<string, Change>> = {
  role: inHistory((one) => ({ ...one, role: one.role === "user" ? "assistant" : "user" })),
  content: inHistory((one, random) => ({ ...one, content: otherText(one.content, random, "another") })),
  name: inHistory((one, random) => ({ ...one, name: otherText(one.name, random, "cy") })),
  extra: inHistory((one, random) => ({ ...one, extra: otherObject(one.extra, random, { another: 1 }) })),
};

const AROUND: Readonly<Record<string, Change>> = {
  "a message more": (base, random, { history }) => {
    const at = random(base.history.length + 1);
    const [added] = history;
    return added && { ...base, history: base.history.toSpliced(at, 0, added) };
  },
  "a message less": (base, random) => ({
    ...base,
    history: base.history.toSpliced(random(base.history.length), 1),
  }),
  "messages in another order": (base) => ({ ...base, history: base.history.toReversed() }),
  "the name of the last message": (base, random) => ({
    ...base,
    last: { ...base.last, name: otherText(base.last.name, random, "cy") },
  }),
  "the extra of the last message": (base, random) => ({
    ...base,
    last: { ...base.last, extra: otherObject(base.last.extra, random, { image: "x" }) },
  }),
  namespace: (base, random) => ({ ...base, namespace: NAMES[random(NAMES.length)] ?? "off" }),
  credential: (base) => ({ ...base, caller: "colleague" }),
  tenant: (base) => ({ ...base, caller: "stranger" }),
};

const CHANGES: readonly (readonly [string, Change])[] = Object.entries({
  ...OF_THE_SCOPE,
  ...Object.fromEntries(Object.entries(OF_A_MESSAGE).map(([name, change]) => [`message ${name}`, change])),
  ...AROUND,
});

interface Case {
  readonly name: string;
  readonly base: Place;
  readonly changed: Place;
}

/** By value: an object is the same in any order of its keys, and -0 is 0. */
const isSame = (one: Place, other: Place): boolean =>
  canonicalJson(one as unknown as Json) === canonicalJson(other as unknown as Json);

/**
 * Cases without end whose changed place differs from its base, each change as often as any other. Made a few at a time: the
 * server of the test runs in this process, and refuses calls when its event loop stands still for seconds.
 */
function* randomCases(): Generator<Case, never> {
  let made = 0;
  const arbitrary = fc.tuple(place, place, fc.infiniteStream(fc.nat()), fc.boolean(), fc.boolean());
  for (let seed = 1; ; seed += 1) {
    for (const [base, other, numbers, shared, forUser] of fc.sample(arbitrary, { seed, numRuns: AT_ONCE })) {
      const [name, change] = CHANGES[made % CHANGES.length] ?? CHANGES[0] ?? ["", () => undefined];
      const random = (limit: number): number => (limit === 0 ? 0 : numbers.next().value % limit);
      // What is shared with the tenant has no principal, and is the same for a colleague.
      const isFree = name !== "shared" && name !== "principal" && name !== "credential";
      const sharing = {
        shared: isFree && shared,
        principal: name !== "shared" && !(isFree && shared) && forUser ? "end user" : "",
      };
      // No two cases have the same base, and a changed one is nobody else's base.
      const unique = { ...base, ...sharing, systemPrompt: `${made} ${base.systemPrompt}` };
      const changed = change(unique, random, other);
      if (changed === undefined || changed.model === "" || isSame(changed, unique)) continue;
      made += 1;
      yield { name, base: unique, changed };
    }
  }
}

const PROMPT = "How do I cancel my order?";
const OTHER_PROMPT = "What is the capital of Portugal?";

type Lookup = MessageInitShape<typeof LookupCacheRequestSchema>;

function scopeOf(at: Place): Lookup["scope"] {
  const { model, systemPrompt, parameters, tools, responseFormat, locale, knowledgeVersion } = at;
  const objects = { parameters, tools: [...tools], responseFormat } as unknown as Record<string, never>;
  return {
    model,
    systemPrompt,
    ...objects,
    locale,
    knowledgeVersion,
    principal: at.principal,
    shared: at.shared,
  };
}

function promptOf({ history, last }: Place, content: string): Lookup["prompt"] {
  const messages = [...history, { role: "user", content, ...last }];
  return { prompt: { case: "chat", value: { messages: messages as unknown as never[] } } };
}

const fieldsOf = (desc: DescMessage): string[] => desc.fields.map(({ name }) => name).sort();

describe("the scope of a cached answer", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({
      apiKeys: Object.values(KEYS),
      env: { CACHE_SIMILARITY_THRESHOLD: "0", CACHE_GUARD: "off", CACHE_MAX_ENTRIES: "100000" },
      overrides: { embedder: ALL_ALIKE },
      // Long enough that a slow machine causes no miss.
      configure: (config) => ({ ...config, cache: { ...config.cache, lookupDeadlineMs: 60_000 } }),
    });
    for (const caller of Object.values(KEYS)) {
      for (const namespace of NAMES) {
        const policy = { guard: NAMESPACES[namespace] };
        await app.cache.updateCachePolicy({ namespace, policy }, headersOf(caller.key));
      }
    }
  });
  afterAll(() => app[Symbol.asyncDispose]());

  const headersOf = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });

  /**
   * The outcome of a lookup. One that is not `expected` is looked up again: on a busy machine a server misses for want of time,
   * and a search in Redis ends early; that a lookup never hits is for each attempt.
   */
  async function lookUp(at: Place, content: string, expected: string): Promise<string> {
    let outcome = "";
    for (let attempt = 0; attempt < ATTEMPTS && outcome !== expected; attempt += 1) {
      outcome = await outcomeOf(at, content);
      if (expected === "NOT_FOUND" && outcome.startsWith("hit")) return outcome;
    }
    return outcome;
  }

  async function outcomeOf(at: Place, content: string): Promise<string> {
    const { outcome } = await app.cache.lookupCache(
      { namespace: at.namespace, prompt: promptOf(at, content), scope: scopeOf(at) },
      headersOf(KEYS[at.caller].key),
    );
    if (outcome.case === "hit") return `hit ${Match[outcome.value.match]} ${outcome.value.entry?.response}`;
    return Reason[outcome.value?.reason ?? 0] ?? "";
  }

  /** The other prompt has a similarity of 1 and another meaning: only a guard that is off serves it. */
  const expectedOf = ({ base }: Case, response: string): string[] => [
    `hit EXACT ${response}`,
    base.namespace === "off" ? `hit SEMANTIC ${response}` : "GUARD",
    "NOT_FOUND",
  ];

  async function outcomesOf(one: Case, response: string): Promise<string[]> {
    const { base, changed } = one;
    await app.cache.storeCacheEntry(
      {
        namespace: base.namespace,
        prompt: promptOf(base, PROMPT),
        origin: { case: "scope", value: scopeOf(base) ?? {} },
        response,
      },
      headersOf(KEYS[base.caller].key),
    );
    const [exact = "", semantic = "", foreign = ""] = expectedOf(one, response);
    return Promise.all([
      lookUp(base, PROMPT, exact),
      lookUp(base, OTHER_PROMPT, semantic),
      // After the exact match, a lookup asks for the nearest: NOT_FOUND says that the scope has no entry at all.
      lookUp(changed, PROMPT, foreign),
    ]);
  }

  it("has a change below for every field of the API", () => {
    expect(Object.keys(OF_THE_SCOPE).sort()).toEqual(fieldsOf(CacheScopeSchema));
    expect(Object.keys(OF_A_MESSAGE).sort()).toEqual(fieldsOf(ChatMessageSchema));
  });

  it(`is never left when one field of it changes, in ${CASES} random cases at every strictness`, async () => {
    const cases = randomCases();
    const seen = new Set<string>();
    for (let from = 0; from < CASES; from += AT_ONCE) {
      const together = Array.from({ length: Math.min(AT_ONCE, CASES - from) }, () => cases.next().value);
      const outcomes = await Promise.all(together.map((one, at) => outcomesOf(one, `answer ${from + at}`)));
      for (const [at, one] of together.entries()) {
        expect({ one, outcomes: outcomes[at] }).toEqual({
          one,
          outcomes: expectedOf(one, `answer ${from + at}`),
        });
        seen.add(`${one.name}, ${one.base.namespace}`);
      }
    }
    // With many cases, every field was changed at every strictness.
    if (LONG_RUN) expect(seen.size).toBe(CHANGES.length * NAMES.length);
    else expect(seen.size).toBeGreaterThan(CHANGES.length * 2);
  });
});
