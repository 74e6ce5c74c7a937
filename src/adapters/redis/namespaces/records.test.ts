import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecollectError } from "../../../domain/errors.ts";
import { compressingPacker, packRecord, plainRecord, unpackRecord } from "./records.ts";

const LONG = { id: "m1", text: "Ana is allergic to nuts, and Ben is not. ".repeat(100) };

describe("stored records", () => {
  const packed: [plain: number, stored: number][] = [];
  const metrics = { recordPacked: (plain: number, stored: number) => void packed.push([plain, stored]) };
  const pack = compressingPacker(1024, metrics);

  it("are read back, however they were packed", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 })), (value) => {
        const record = { text: LONG.text, value: JSON.parse(JSON.stringify(value)) };
        for (const one of [packRecord(record), pack(record), pack({ value: record.value })]) {
          expect([record, { value: record.value }]).toContainEqual(unpackRecord(one, "it"));
        }
        expect(plainRecord(pack(record), "it")).toEqual(packRecord(record));
      }),
    );
  });

  it("are compressed from the given length on, and the saved bytes are counted", () => {
    packed.length = 0;
    const short = { text: "n".repeat(1023 - packRecord({ text: "" }).length) };
    expect(pack(short)).toEqual(packRecord(short));
    expect(packed).toEqual([]);
    const compressed = pack(LONG);
    expect(compressed[0]).toBe(1);
    expect(packed).toEqual([[packRecord(LONG).length, compressed.length]]);
    expect(compressed.length).toBeLessThan(packRecord(LONG).length / 10);
  });

  it("stay plain where they would get no shorter", () => {
    packed.length = 0;
    const stored = compressingPacker(1, metrics)({ id: "m1" });
    expect(stored).toEqual(packRecord({ id: "m1" }));
    expect(packed).toEqual([[stored.length, stored.length]]);
  });

  it("reject with STORE_CORRUPT and their name, wherever a byte is changed or missing", () => {
    const stored = pack(LONG);
    for (let at = 0; at < stored.length; at += 1) {
      const changed = Buffer.from(stored);
      changed[at] = (changed[at] ?? 0) ^ 0x40;
      for (const bytes of [changed, stored.subarray(0, at)]) {
        const error = errorOf(() => unpackRecord(bytes, "memory m1"));
        // A byte that does not affect the frame is no damage.
        if (error === undefined) expect(unpackRecord(bytes, "memory m1")).toEqual(LONG);
        else
          expect([error.reason, error.detail.metadata]).toEqual([
            "STORE_CORRUPT",
            { backend: "redis", damaged: "memory m1" },
          ]);
      }
      expect(errorOf(() => unpackRecord(stored.subarray(0, at), "memory m1"))?.reason).toBe("STORE_CORRUPT");
    }
    expect(errorOf(() => unpackRecord(undefined, "memory m1"))?.reason).toBe("STORE_CORRUPT");
  });
});

function errorOf(read: () => unknown): RecollectError | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (error instanceof RecollectError) return error;
    throw error;
  }
}
