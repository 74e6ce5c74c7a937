import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hmacUnder } from "./hmac.ts";

describe("hmacUnder", () => {
  it("is what the library makes of every key and message, one after the other", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 64 }),
        fc.array(fc.uint8Array({ maxLength: 600 }), { maxLength: 4 }),
        (key, messages) => {
          const hmac = hmacUnder(key);
          for (const message of messages) {
            expect(hmac(message)).toBe(createHmac("sha256", key).update(message).digest("hex"));
          }
        },
      ),
      { seed: 1, numRuns: 300 },
    );
  });

  it("takes no key that it would have to hash", () => {
    expect(() => hmacUnder(new Uint8Array(65))).toThrow(RangeError);
  });
});
