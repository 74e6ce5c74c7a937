import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  firstParameters,
  type ParameterName,
  type ParameterSettings,
  parametersAfterRefusal,
  type RequestParameters,
  type RequestRefusal,
  reduced,
} from "./request-parameters.ts";

const NAMES: readonly ParameterName[] = ["encodingFormat", "dimensions"];
const settings: fc.Arbitrary<ParameterSettings> = fc.record({
  encodingFormat: fc.constantFrom("auto", "send", "omit", "base64", "float"),
  dimensions: fc.constantFrom("auto", "send", "omit"),
});
const refusal: fc.Arbitrary<RequestRefusal> = fc.record({
  status: fc.constantFrom(400, 401, 404, 413, 422, 429, 500),
  named: fc.subarray([...NAMES]),
  hasOtherCause: fc.boolean(),
});
const accepted = fc.subarray([...NAMES]).map((names) => new Set(names));
const model = fc.constantFrom("text-embedding-3-small", "a-model");
const parameters: fc.Arbitrary<RequestParameters> = fc.record({
  encodingFormat: fc.constantFrom("base64", "float", undefined),
  dimensions: fc.boolean(),
});

/** A measure of the sent parameters; each step decreases it. */
const weight = ({ encodingFormat, dimensions }: RequestParameters): number =>
  ["base64", "float"].indexOf(encodingFormat ?? "") === -1
    ? Number(dimensions)
    : Number(dimensions) + (encodingFormat === "base64" ? 2 : 1);

describe("the parameters after a refusal", () => {
  it("become fewer with each retry, and end after three, with any answers", () => {
    fc.assert(
      fc.property(
        settings,
        model,
        accepted,
        fc.array(refusal, { minLength: 4, maxLength: 8 }),
        (...given) => {
          const [set, name, known, refusals] = given;
          let sent = firstParameters(set, name);
          for (const [index, one] of refusals.entries()) {
            const next = parametersAfterRefusal(sent, one, set, known);
            if (next === undefined) return;
            expect(index).toBeLessThan(3);
            expect(weight(next)).toBeLessThan(weight(sent));
            sent = next;
          }
          expect.unreachable("it goes on for ever");
        },
      ),
    );
  });

  it("never change configured parameters", () => {
    fc.assert(
      fc.property(settings, model, accepted, refusal, (set, name, known, one) => {
        const sent = firstParameters(set, name);
        const next = parametersAfterRefusal(sent, one, set, known) ?? sent;
        for (const parameter of NAMES) {
          if (set[parameter] !== "auto") expect(next[parameter]).toBe(sent[parameter]);
        }
      }),
    );
  });

  it("do not change after refusals because of the text, the key or the rate", () => {
    const sent: RequestParameters = { encodingFormat: "base64", dimensions: true };
    const retried = (one: Partial<RequestRefusal>, known: readonly ParameterName[] = []) =>
      parametersAfterRefusal(
        sent,
        { status: 400, named: [], hasOtherCause: false, ...one },
        { encodingFormat: "auto", dimensions: "auto" },
        new Set(known),
      );
    for (const status of [401, 403, 404, 413, 429, 500]) expect(retried({ status })).toBeUndefined();
    expect(retried({ hasOtherCause: true })).toBeUndefined();
    expect(retried({}, NAMES)).toBeUndefined();
    expect(retried({}, ["encodingFormat"])).toEqual({ encodingFormat: "base64", dimensions: false });
    expect(retried({ named: ["encodingFormat"], status: 500 }, NAMES)).toEqual({
      encodingFormat: "float",
      dimensions: true,
    });
    expect(retried({ named: NAMES })).toEqual({ encodingFormat: "float", dimensions: false });
  });
});

describe("the parameters of later requests", () => {
  it("are never more than before or than those of a successful request, in any order of answers", () => {
    fc.assert(
      fc.property(parameters, parameters, (one, other) => {
        const both = reduced(one, other);
        expect(both).toEqual(reduced(other, one));
        expect(weight(both)).toBeLessThanOrEqual(Math.min(weight(one), weight(other)));
        expect(reduced(both, one)).toEqual(both);
      }),
    );
  });
});
