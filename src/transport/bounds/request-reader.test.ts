import {
  create,
  type DescMethod,
  fromBinary,
  fromJsonString,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import {
  BatchCreateMemoriesRequestSchema,
  CreateMemoryRequestSchema,
  MemoryService,
} from "#gen/recollect/v1/memory_pb.js";
import { OperationsService } from "#gen/recollect/v1/operations_pb.js";
import { worstMessages } from "../../../test/support/worst-messages.ts";
import { RecollectError } from "../../domain/errors.ts";
import { MAX_JSON_DEPTH, MAX_JSON_VALUES } from "./limits.ts";
import { refusalOf } from "./refused-item.ts";
import { createRequestReaders } from "./request-reader.ts";

const readerOf = createRequestReaders();
const { createMemory, batchCreateMemories, searchMemories, listMemories, purgeMemories } =
  MemoryService.method;
const { lookupCache } = CacheService.method;

/** RPCs that are not served yet, and whose requests have lists without a limit. */
const UNBOUNDED: readonly DescMethod[] = [
  CacheService.method.calibrateCache,
  CacheService.method.simulateCache,
  CacheService.method.importCacheEntries,
];
const METHODS: readonly DescMethod[] = [MemoryService, CacheService, OperationsService]
  .flatMap(({ methods }) => methods as readonly DescMethod[])
  .filter((method) => !UNBOUNDED.includes(method));

/** The error of a check. */
function refusal(check: () => unknown): RecollectError {
  try {
    check();
  } catch (error) {
    if (error instanceof RecollectError) return error;
    throw error;
  }
  throw new Error("not refused");
}

function json(method: DescMethod, text: unknown): RecollectError {
  const bytes = Buffer.from(typeof text === "string" ? text : JSON.stringify(text));
  return refusal(() => readerOf(method).check(bytes, "json"));
}

/** Larger than all but two text limits of the API. */
const SIZE = 300_000;
const LARGER = /(^|\.)(response|chunk) one/;

describe("the most expensive messages", () => {
  it.each(METHODS.map((method) => [method.name, method] as const))(
    "of every field of %s are refused, or the item that they are in",
    (_, method) => {
      const reader = readerOf(method);
      const taken: string[] = [];
      for (const { name, wire, json: text } of worstMessages(method.input, SIZE)) {
        for (const [form, bytes] of [
          ["binary", wire],
          ["json", text],
        ] as const) {
          // An escaped text may be six times as long as its value.
          if (LARGER.test(name) || (form === "json" && name.endsWith("of escapes"))) continue;
          try {
            const checked = reader.check(bytes, form);
            if (checked.refused.length === 0) taken.push(`${name} (${form})`);
            else expect(checked.bytes.length).toBeLessThan(100);
          } catch (error) {
            expect(error).toBeInstanceOf(RecollectError);
          }
        }
      }
      expect(taken).toEqual([]);
    },
  );

  it("of a method with unbounded lists cannot be read at all", () => {
    for (const method of UNBOUNDED) expect(() => readerOf(method)).toThrow(/no limit for/);
  });
});

describe("a message within its bounds", () => {
  const memory = fc.record({
    text: fc.string({ minLength: 1, maxLength: 50, unit: "grapheme" }),
    userId: fc.string({ maxLength: 10, unit: "grapheme" }),
    tags: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8, unit: "grapheme" }), { maxLength: 32 }),
    kind: fc.integer({ min: 0, max: 5 }),
    importance: fc.option(fc.float({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
    pinned: fc.boolean(),
    metadata: fc.dictionary(
      fc.string({ maxLength: 8, unit: "grapheme" }).filter((key) => key !== "__proto__"),
      fc.jsonValue({ maxDepth: 4 }),
      { maxKeys: 8 },
    ),
    eventTime: fc.option(fc.record({ seconds: fc.bigInt(-1_000_000n, 10_000_000_000n) }), { nil: undefined }),
  });

  it("is read as it is, encoded or in JSON", () => {
    fc.assert(
      fc.property(fc.array(memory, { minLength: 1, maxLength: 4 }), fc.boolean(), (memories, protoNames) => {
        const message = create(BatchCreateMemoriesRequestSchema, { memories: memories as never });
        const reader = readerOf(batchCreateMemories);
        const wire = toBinary(BatchCreateMemoriesRequestSchema, message);
        expect(reader.check(wire, "binary")).toEqual({ bytes: wire, refused: [] });
        expect(reader.decode(wire)).toEqual(fromBinary(BatchCreateMemoriesRequestSchema, wire));
        const text = toJsonString(BatchCreateMemoriesRequestSchema, message, {
          prettySpaces: protoNames ? 2 : 0,
          useProtoFieldName: protoNames,
        });
        const checked = reader.check(Buffer.from(text), "json");
        expect(checked.refused).toEqual([]);
        expect(Buffer.from(checked.bytes).toString()).toBe(text);
      }),
      { numRuns: 200 },
    );
  });

  it("may hold as much JSON as the limits say", () => {
    const values = (count: number): object => ({
      prompt: { text: "q" },
      // Each tool with its list is two values more.
      scope: { model: "m", tools: [1, 2].map(() => ({ k: Array.from({ length: count / 2 - 2 }, () => 1) })) },
    });
    const levels = (depth: number): object => ({
      prompt: { text: "q" },
      scope: {
        model: "m",
        responseFormat: JSON.parse(['{"k":'.repeat(depth), "1", "}".repeat(depth)].join("")),
      },
    });
    const encoded = (request: object): Uint8Array =>
      toBinary(lookupCache.input, fromJsonString(lookupCache.input, JSON.stringify(request)));
    for (const [inside, outside] of [
      [values(MAX_JSON_VALUES), values(MAX_JSON_VALUES + 2)],
      [levels(MAX_JSON_DEPTH), levels(MAX_JSON_DEPTH + 1)],
    ] as const) {
      const reader = readerOf(lookupCache);
      expect(reader.check(Buffer.from(JSON.stringify(inside)), "json").refused).toEqual([]);
      expect(reader.check(encoded(inside), "binary").refused).toEqual([]);
      expect(json(lookupCache, outside).reason).toBe("REQUEST_INVALID");
      expect(refusal(() => reader.check(encoded(outside), "binary")).reason).toBe("REQUEST_INVALID");
    }
  });
});

describe("an item that is checked on its own", () => {
  const good = (text: string) => ({ text, tags: ["a"], metadata: { k: [1, "two"] } });
  const bad = { text: "bad", tags: Array.from({ length: 33 }, String) };

  it("is refused at its index, and the others are read unchanged", () => {
    const message = create(BatchCreateMemoriesRequestSchema, {
      memories: [good("first"), bad, good("third"), bad],
    });
    const reader = readerOf(batchCreateMemories);
    const wire = reader.check(toBinary(BatchCreateMemoriesRequestSchema, message), "binary");
    const text = reader.check(
      Buffer.from(toJsonString(BatchCreateMemoriesRequestSchema, message, { prettySpaces: 1 })),
      "json",
    );
    const empty = create(BatchCreateMemoriesRequestSchema, {
      memories: [good("first"), {}, good("third"), {}],
    });
    expect(fromBinary(BatchCreateMemoriesRequestSchema, wire.bytes)).toEqual(empty);
    expect(fromJsonString(BatchCreateMemoriesRequestSchema, Buffer.from(text.bytes).toString())).toEqual(
      empty,
    );
    for (const { refused } of [wire, text]) {
      expect(refused.map(({ field, index, error }) => [field, index, error.detail.violations])).toEqual(
        [1, 3].map((index) => [
          "memories",
          index,
          [{ field: `memories[${index}].tags`, description: "must contain no more than 32 item(s)" }],
        ]),
      );
    }
  });

  it("carries its refusal when it is decoded", () => {
    const message = create(BatchCreateMemoriesRequestSchema, { memories: [good("first"), bad] });
    const decoded = readerOf(batchCreateMemories).decode(
      toBinary(BatchCreateMemoriesRequestSchema, message),
    ) as typeof message;
    expect(decoded.memories.map((one) => refusalOf(one)?.reason)).toEqual([undefined, "REQUEST_INVALID"]);
  });

  it("does not count towards the budget of the request when refused", () => {
    const large = { text: "x", metadata: { k: Array.from({ length: 17_000 }, () => 1) } };
    const text = JSON.stringify({ memories: [large, large, large, large, good("last")] });
    const { refused } = readerOf(batchCreateMemories).check(Buffer.from(text), "json");
    expect(refused.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
  });

  it("is refused with all others when they exceed the budget of the request together", () => {
    const large = { text: "x", metadata: { k: Array.from({ length: 8100 }, () => 1) } };
    const request = { memories: Array.from({ length: 7 }, () => large) };
    expect(json(batchCreateMemories, request).detail.violations?.[0]?.field).toBe("memories[6].metadata");
    const wire = toBinary(
      BatchCreateMemoriesRequestSchema,
      create(BatchCreateMemoriesRequestSchema, request),
    );
    expect(refusal(() => readerOf(batchCreateMemories).check(wire, "binary")).reason).toBe("REQUEST_INVALID");
  });
});

describe("ambiguous input", () => {
  it.each([
    [purgeMemories, { filter: { userID: "ana" } }, "filter.userID", "userId"],
    [purgeMemories, { filter: { session: "s" } }, "filter.session", "sessionId"],
    [searchMemories, { query: { text: "x" }, user_id: "ana" }, "user_id", "filter.userId"],
    [
      lookupCache,
      { prompt: { text: "q" }, scope: { model: "m", temperature: 0 } },
      "scope.temperature",
      undefined,
    ],
    [lookupCache, { prompt: { text: "q", system: "s" }, scope: { model: "m" } }, "prompt.system", undefined],
    [
      createMemory,
      { memory: { text: "x", expireAt: "2030-01-01T00:00:00Z" } },
      "memory.expireAt",
      "expireTime",
    ],
  ] as const)("is refused: a field that %o does not have, in %j", (method, request, field, nearest) => {
    const error = json(method, request);
    expect([error.reason, error.detail.metadata]).toEqual([
      "FIELD_UNKNOWN",
      { field, ...(nearest === undefined ? {} : { nearest }) },
    ]);
  });

  it("is refused: a field number that the message does not have", () => {
    const error = refusal(() => readerOf(createMemory).check(Buffer.from([0x12, 2, 0x98, 0x06]), "binary"));
    expect([error.reason, error.detail.metadata]).toEqual(["FIELD_UNKNOWN", { field: "memory.99" }]);
  });

  it("is refused: an unknown enum name, with the most similar one", () => {
    const error = json(purgeMemories, { filter: { kinds: ["message"] } });
    expect(error.detail.violations).toEqual([
      {
        field: "filter.kinds[0]",
        description: '"message" is no value of recollect.v1.Memory.Kind; the nearest one is KIND_MESSAGE',
      },
    ]);
  });

  it.each([
    ["a field twice", '{"memory": {"text": "a", "text": "b"}}', "memory.text"],
    ["a field by both of its names", '{"memory": {"userId": "a", "user_id": "b"}}', "memory.user_id"],
    [
      "two fields of a oneof",
      '{"memory": {"ttl": "1s", "expireTime": "2030-01-01T00:00:00Z"}}',
      "memory.expire_time",
    ],
    ["a key of metadata twice", '{"memory": {"metadata": {"a": 1, "a": 2}}}', "memory.metadata.a"],
    ["a lone surrogate", '{"memory": {"text": "\\ud800"}}', "memory.text"],
    ["a lone surrogate in metadata", '{"memory": {"metadata": {"a": "\\udc00"}}}', "memory.metadata"],
    ["an invalid date", '{"memory": {"eventTime": "2025-02-30T00:00:00Z"}}', "memory.event_time"],
    ["a list for a text", '{"memory": {"text": ["a"]}}', "memory.text"],
    ["a text for a list", '{"memory": {"tags": "a"}}', "memory.tags"],
  ])("is refused: %s", (_, text, field) => {
    const error = json(createMemory, text);
    expect([error.reason, error.detail.metadata?.["field"]]).toEqual(["REQUEST_MALFORMED", field]);
  });

  it.each([
    ["a byte that is not UTF-8", Buffer.from('{"memory": {"userId": "Jos\xe9"}}', "latin1")],
    ["a missing end", Buffer.from('{"memory": {"text": "a"}')],
    ["more than one message", Buffer.from("{}{}")],
    ["no message", Buffer.from("")],
    ["a list", Buffer.from("[]")],
    ["too much white space", Buffer.alloc(5 * 1024 * 1024, " ")],
  ])("is refused: %s", (_, bytes) => {
    expect(refusal(() => readerOf(createMemory).check(bytes, "json"))).toMatchObject({
      reason: "REQUEST_MALFORMED",
      detail: { metadata: { method: "/recollect.v1.MemoryService/CreateMemory" } },
    });
  });

  it("accepts output-only fields, null for unset fields, and both names of a field", () => {
    const text =
      '{"memory": {"text": "a", "etag": "x", "createTime": "2024-02-29T00:00:00Z", "agent_id": null}}';
    expect(readerOf(createMemory).check(Buffer.from(text), "json").refused).toEqual([]);
    expect(
      readerOf(listMemories).check(Buffer.from('{"page_size": 1, "filter": null}'), "json").refused,
    ).toEqual([]);
    expect(create(CreateMemoryRequestSchema)).toBeDefined();
  });
});
