import { type JsonObject, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import {
  type ExportMemoriesRequestSchema,
  type ImportMemoriesRequestSchema,
  type ImportMemoriesResponse,
  type Memory,
  Memory_Kind,
  Memory_State,
  MemorySchema,
} from "#gen/recollect/v1/memory_pb.js";
import { NOW } from "./builders.ts";
import type { TestApp } from "./start-app.ts";

export type ImportRequest = MessageInitShape<typeof ImportMemoriesRequestSchema>;
type MemoryInit = MessageInitShape<typeof MemorySchema>;

/** All memories of an export. */
export async function exportAll(
  app: Pick<TestApp, "memory">,
  request: MessageInitShape<typeof ExportMemoriesRequestSchema>,
): Promise<{ readonly memories: Memory[]; readonly tokens: string[] }> {
  const memories: Memory[] = [];
  const tokens: string[] = [];
  for await (const { memory, resumeToken } of app.memory.exportMemories(request)) {
    if (memory === undefined) throw new Error("an answer without memory");
    memories.push(memory);
    tokens.push(resumeToken);
  }
  return { memories, tokens };
}

export async function importAll(
  app: Pick<TestApp, "memory">,
  requests: readonly ImportRequest[],
): Promise<ImportMemoriesResponse[]> {
  return Array.fromAsync(app.memory.importMemories(streamOf(requests)));
}

export async function* streamOf<T>(items: readonly T[]): AsyncIterable<T> {
  yield* items;
}

export const bytesOf = (memories: readonly Memory[]): string[] =>
  memories.map((memory) => Buffer.from(toBinary(MemorySchema, memory)).toString("hex"));

/** Valid memories for an import, with every exported field. */
export const importable = (): fc.Arbitrary<MemoryInit> => {
  const time = fc.integer({ min: NOW - 10_000, max: NOW + 10_000 });
  const name = fc.oneof(fc.constant(""), fc.string({ unit: "grapheme", maxLength: 20 }));
  const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,6}$/);
  const ids = fc.uniqueArray(id, { maxLength: 3 });
  return fc
    .record({
      id,
      text: fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }),
      kind: fc.constantFrom(Memory_Kind.EPISODIC, Memory_Kind.SEMANTIC, Memory_Kind.MESSAGE),
      userId: name,
      sessionId: fc.constantFrom("", "s", "t"),
      sessionPosition: fc.integer({ min: 0, max: 9 }),
      author: name,
      tags: fc.uniqueArray(fc.string({ unit: "grapheme", minLength: 1, maxLength: 9 }), { maxLength: 3 }),
      metadata: fc.dictionary(
        fc.oneof(fc.string({ maxLength: 9 }), fc.constant("__proto__")),
        fc.jsonValue({ maxDepth: 2 }).filter(isExact),
        { maxKeys: 4 },
      ),
      importance: fc.option(fc.float({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
      pinned: fc.boolean(),
      eventTime: fc.option(time, { nil: undefined }),
      createTime: time,
      updatedAfter: fc.integer({ min: 0, max: 5 }),
      expires: fc.boolean(),
      state: fc.constantFrom(
        Memory_State.ACTIVE,
        Memory_State.SUPERSEDED,
        Memory_State.ARCHIVED,
        Memory_State.QUARANTINED,
      ),
      supersedes: ids,
      supersededBy: fc.oneof(fc.constant(""), id),
      sourceIds: ids,
      flags: fc.uniqueArray(fc.constantFrom("secret:github_token", "secret:aws_access_key"), {
        maxLength: 2,
      }),
      validity: fc.constantFrom([], [0], [0, 1]),
    })
    .map(({ createTime, updatedAfter, eventTime, expires, importance, metadata, validity, ...rest }) => ({
      ...rest,
      ...(validity[0] === undefined ? {} : { validFrom: timestampFromMs(createTime) }),
      ...(validity[1] === undefined ? {} : { validUntil: timestampFromMs(createTime + 1000) }),
      metadata: metadata as JsonObject,
      createTime: timestampFromMs(createTime),
      updateTime: timestampFromMs(createTime + updatedAfter),
      ...(importance === undefined ? {} : { importance }),
      ...(eventTime === undefined ? {} : { eventTime: timestampFromMs(eventTime) }),
      ...(expires
        ? { expiration: { case: "expireTime" as const, value: timestampFromMs(NOW + 10_000_000) } }
        : {}),
    }));
};

/** Whether all numbers of a JSON value are valid in metadata. */
function isExact(value: unknown): boolean {
  if (typeof value === "number") return !Number.isInteger(value) || Number.isSafeInteger(value);
  return value === null || typeof value !== "object" || Object.values(value).every(isExact);
}
