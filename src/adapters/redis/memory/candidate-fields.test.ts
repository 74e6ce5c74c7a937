import fc from "fast-check";
import { expect, it } from "vitest";
import { unpackCandidateFields } from "./candidate-fields.ts";

it("reads times and importance as they were written, whatever numbers they are", () => {
  const time = fc.oneof(
    fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
  );
  const optional = fc.option(time, { nil: undefined });
  const importance = fc.oneof(
    fc.constantFrom(0, 1, 5e-324, 1e21),
    fc.double({ min: 0, max: 1, noNaN: true }),
  );
  fc.assert(
    fc.property(time, optional, importance, optional, (created, event, weight, expire) => {
      const packed = [created, event ?? "", weight, expire ?? ""].join(" ");
      const fields = unpackCandidateFields(Buffer.from(packed));
      expect(fields).toEqual({
        time: Number(String(event ?? created)),
        importance: Number(String(weight)),
        expireTime: expire === undefined ? undefined : Number(String(expire)),
      });
    }),
    { seed: 4 },
  );
});
