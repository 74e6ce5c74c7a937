import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NOW, unitVector } from "../support/builders.ts";
import { refusalOf } from "../support/errors.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

const KIB = 1024;
const DIMENSION = 384;

type Call = (app: TestApp) => Promise<unknown>;

const createMemory =
  (more: object): Call =>
  (app) =>
    app.memory.createMemory({ namespace: "m", memory: { text: `text ${Object.keys(more)}`, ...more } });
const batch =
  (texts: readonly string[]): Call =>
  (app) =>
    app.memory.batchCreateMemories({ namespace: "b", memories: texts.map((text) => ({ text })) });
const list =
  (filter: object): Call =>
  (app) =>
    app.memory.listMemories({ filter });
const text = { prompt: { case: "text" as const, value: "q" } };
const lookup =
  (scope: object, prompt: object = text): Call =>
  (app) =>
    app.cache.lookupCache({ prompt, scope: { model: "m", ...scope } });
const store =
  (more: object): Call =>
  (app) =>
    app.cache.storeCacheEntry({
      namespace: "c",
      prompt: text,
      origin: { case: "scope", value: { model: "m" } },
      response: "a",
      ...more,
    });
const chat =
  (...messages: readonly object[]): Call =>
  (app) =>
    lookup({}, { prompt: { case: "chat", value: { messages } } })(app);
const user = (more: object = {}) => ({ role: "user", content: "q", ...more });
const time = (seconds: bigint, nanos = 0) => ({ seconds, nanos });

/** An object of one key that takes so many bytes as JSON. */
function jsonOf(bytes: number): object {
  return { k: "x".repeat(bytes - JSON.stringify({ k: "" }).length) };
}

function keys(count: number): object {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 1]));
}

function nested(depth: number): object {
  return depth === 1 ? { leaf: 1 } : { deeper: nested(depth - 1) };
}

const NOW_S = BigInt(NOW / 1000);
const LAST_SECOND = 253_402_300_799n;
const FIRST_SECOND = -62_135_596_800n;

/**
 * Limits without a rule in the schema: a value at the limit, one beyond it, and the reported field.
 *
 * Other such limits are tested elsewhere: messages of 16 MiB, lists in a filter, the length of a vector and a
 * query by vector in another mode in invalid-requests.test.ts; pages of 1,000 rows and of 2 MiB in page-token.test.ts and
 * cache-entries.test.ts; fields of a correction in memory-changes.test.ts; what an import asks of a memory, and of its
 * sequences, in memory-transfer.test.ts; 64 words of a query in
 * search-memories.test.ts; calls and streams at once in transport/.
 */
const LIMITS: readonly (readonly [name: string, inside: Call, outside: Call, field: string])[] = [
  [
    "64 keys of a memory's metadata",
    createMemory({ metadata: keys(64) }),
    createMemory({ metadata: keys(65) }),
    "memory.metadata",
  ],
  [
    "16 KiB of a memory's metadata",
    createMemory({ metadata: jsonOf(16 * KIB) }),
    createMemory({ metadata: jsonOf(16 * KIB + 1) }),
    "memory.metadata",
  ],
  [
    "16 levels of a memory's metadata",
    createMemory({ metadata: nested(16) }),
    createMemory({ metadata: nested(17) }),
    "memory.metadata",
  ],
  [
    "finite numbers in metadata",
    createMemory({ metadata: { a: Number.MIN_VALUE } }),
    createMemory({ metadata: { a: Number.POSITIVE_INFINITY } }),
    "memory.metadata.a",
  ],
  [
    "whole numbers below 2^53 in metadata",
    createMemory({ metadata: { a: 2 ** 53 - 1 } }),
    createMemory({ metadata: { a: 2 ** 53 } }),
    "memory.metadata.a",
  ],
  [
    "an expiry in the future",
    createMemory({ expiration: { case: "expireTime", value: time(NOW_S, 1_000_000) } }),
    createMemory({ expiration: { case: "expireTime", value: time(NOW_S) } }),
    "memory.expire_time",
  ],
  [
    "validity that ends after it begins",
    createMemory({ validFrom: time(1n), validUntil: time(1n, 1_000_000) }),
    createMemory({ validFrom: time(1n), validUntil: time(1n) }),
    "memory.valid_until",
  ],
  [
    "times up to the year 9999",
    createMemory({ eventTime: time(LAST_SECOND, 999_999_999) }),
    createMemory({ eventTime: time(LAST_SECOND + 1n) }),
    "memory.event_time",
  ],
  [
    "times from the year 1 on",
    createMemory({ validFrom: time(FIRST_SECOND) }),
    createMemory({ validFrom: time(FIRST_SECOND - 1n) }),
    "memory.valid_from",
  ],
  [
    "nanoseconds of a second",
    createMemory({ validUntil: time(1n, 999_999_999) }),
    createMemory({ validUntil: time(1n, 1_000_000_000) }),
    "memory.valid_until",
  ],
  [
    "times in a filter",
    list({ createTime: { end: time(LAST_SECOND) } }),
    list({ createTime: { end: time(LAST_SECOND + 1n) } }),
    "filter.create_time.end",
  ],
  ["16 scalars in a filter", list({ metadata: keys(16) }), list({ metadata: keys(17) }), "filter.metadata"],
  [
    "8 MiB of texts in a batch",
    batch(Array.from({ length: 128 }, () => "x".repeat(64 * KIB))),
    batch([...Array.from({ length: 128 }, () => "x".repeat(64 * KIB)), "x"]),
    "memories",
  ],
  [
    "256 KiB of contents in a chat",
    chat(user({ content: "x".repeat(128 * KIB) }), user({ content: "x".repeat(128 * KIB) })),
    chat(user({ content: "x".repeat(128 * KIB) }), user({ content: "x".repeat(128 * KIB + 1) })),
    "prompt.chat.messages",
  ],
  [
    "64 KiB of extras in a message",
    chat(user({ extra: jsonOf(64 * KIB) }), user()),
    chat(user(), user({ extra: jsonOf(64 * KIB + 1) })),
    "prompt.chat.messages[1].extra",
  ],
  [
    "16 KiB of parameters",
    lookup({ parameters: jsonOf(16 * KIB) }),
    lookup({ parameters: jsonOf(16 * KIB + 1) }),
    "scope.parameters",
  ],
  [
    "64 KiB of a tool",
    lookup({ tools: [{}, jsonOf(64 * KIB)] }),
    lookup({ tools: [{}, jsonOf(64 * KIB + 1)] }),
    "scope.tools[1]",
  ],
  [
    "64 KiB of a response format",
    lookup({ responseFormat: jsonOf(64 * KIB) }),
    lookup({ responseFormat: jsonOf(64 * KIB + 1) }),
    "scope.response_format",
  ],
  [
    "64 keys of an answer's metadata",
    store({ metadata: keys(64) }),
    store({ metadata: keys(65) }),
    "metadata",
  ],
  [
    "16 KiB of an answer's metadata",
    store({ metadata: jsonOf(16 * KIB) }),
    store({ metadata: jsonOf(16 * KIB + 1) }),
    "metadata",
  ],
  [
    "16 levels of an answer's metadata",
    store({ metadata: nested(16) }),
    store({ metadata: nested(17) }),
    "metadata",
  ],
];

describe("a limit without a rule in the proto", () => {
  let app: TestApp;
  beforeAll(async () => {
    const vector = unitVector(1, DIMENSION);
    app = await startApp({
      overrides: {
        clock: { now: () => NOW },
        // Without embedding, because megabytes of text would take long.
        embedder: {
          identity: { provider: "test", model: "constant", dimension: DIMENSION },
          embed: async (texts) => texts.map(() => ({ vector, truncated: false })),
        },
      },
    });
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  it.each(LIMITS)("accepts %s and no more, and names the field", async (_, inside, outside, field) => {
    await inside(app);
    const before = await app.memory.listNamespaces({});
    const refusal = await refusalOf(outside(app));
    expect(refusal).toMatchObject({ code: "InvalidArgument", reason: "REQUEST_INVALID", fields: [field] });
    expect(await app.memory.listNamespaces({})).toEqual(before);
  });
});
