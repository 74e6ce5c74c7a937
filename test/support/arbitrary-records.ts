import fc from "fast-check";
import type { CacheEntry } from "../../src/domain/cache/entry.ts";
import { type Memory, type StoredMemory, withAccess } from "../../src/domain/memory/memory.ts";
import type { JsonObject } from "../../src/lib/json.ts";
import { cacheEntry, memory } from "./builders.ts";

/** Texts of one to three bytes a UTF-16 unit, with length prefixes of every size. */
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc
    .tuple(fc.constantFrom("a", "é", "語", "🎉"), fc.constantFrom(0, 63, 64, 127, 128, 5000, 6000))
    .map(([unit, count]) => unit.repeat(count)),
);
const texts = fc.array(text, { maxLength: 4 });
/** The years 1 to 9999, in milliseconds. */
const time = fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 });
const metadata = fc.dictionary(text, fc.jsonValue({ maxDepth: 3 })) as fc.Arbitrary<JsonObject>;

/** Memories with all fields, of varying sizes. */
export const storedMemories: fc.Arbitrary<StoredMemory> = fc
  .tuple(
    fc.record(
      {
        id: text,
        text,
        userId: text,
        agentId: text,
        sessionId: text,
        sessionPosition: fc.nat(2 ** 31 - 1),
        role: text,
        author: text,
        tags: texts,
        metadata,
        importance: fc.constant(0.1),
        pinned: fc.boolean(),
        eventTime: time,
        validFrom: time,
        validUntil: time,
        expireTime: time,
        createTime: time,
        updateTime: time,
        state: fc.constantFrom("ACTIVE", "QUARANTINED"),
        supersedes: texts,
        supersededBy: text,
        sourceIds: texts,
        flags: texts,
        embedding: fc.record({
          state: fc.constant("REFUSED"),
          provider: text,
          model: text,
          dimension: fc.nat(2 ** 31 - 1),
          truncated: fc.boolean(),
        }),
      },
      { requiredKeys: [] },
    ),
    fc.option(fc.record({ accessCount: fc.nat(), lastAccessTime: time }), { nil: undefined }),
  )
  .map(([fields, access]) => withAccess(memory(fields as Partial<Memory>), access));

/** Cache entries with all fields, of varying sizes. */
export const cacheEntries: fc.Arbitrary<CacheEntry> = fc
  .record(
    {
      id: text,
      response: text,
      model: text,
      tags: texts,
      metadata,
      usage: fc.record({
        promptTokens: fc.nat(2 ** 31 - 1),
        completionTokens: fc.nat(2 ** 31 - 1),
        generationMs: fc.nat(),
        costUsd: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
      }),
      createTime: time,
      expireTime: time,
    },
    { requiredKeys: [] },
  )
  .map((fields) => cacheEntry(fields));
