import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareStrictness, GUARD_STRICTNESS } from "./guard-strictness.ts";
import { cachePolicyEtag, NO_CACHE_POLICY, strictnessOf, withPolicyFields } from "./policy.ts";

const strictness = fc.constantFrom(...GUARD_STRICTNESS);
const perhaps = fc.option(strictness, { nil: undefined });

describe("strictnessOf", () => {
  it("is never looser than the namespace, or than the server where the namespace has none", () => {
    fc.assert(
      fc.property(perhaps, perhaps, strictness, (asked, guard, server) => {
        const allowed = guard ?? server;
        const policy = guard === undefined ? {} : { guard };
        if (asked !== undefined && compareStrictness(asked, allowed) < 0) {
          expect(() => strictnessOf(asked, policy, server)).toThrow(
            expect.objectContaining({
              reason: "GUARD_TOO_LOOSE",
              detail: expect.objectContaining({ metadata: { asked, allowed } }),
            }),
          );
        } else expect(strictnessOf(asked, policy, server)).toBe(asked ?? allowed);
      }),
    );
  });
});

describe("withPolicyFields", () => {
  it("changes the named fields alone, and clears those that the patch does not have", () => {
    const current = { guard: "strict", updateTime: 5 } as const;
    expect(withPolicyFields(current, ["guard"], { guard: "off" }, 9)).toEqual({
      guard: "off",
      updateTime: 9,
    });
    expect(withPolicyFields(current, [], { guard: "off" }, 9)).toEqual({ guard: "strict", updateTime: 9 });
    expect(withPolicyFields(current, ["guard"], {}, 9)).toEqual({ updateTime: 9 });
    expect(withPolicyFields(NO_CACHE_POLICY, [], {}, 9)).toEqual({ updateTime: 9 });
  });

  it("has a later update time, also when the clock has not advanced or went back", () => {
    for (const now of [5, 4, -1]) {
      expect(withPolicyFields({ updateTime: 5 }, [], {}, now)).toEqual({ updateTime: 6 });
    }
  });

  it("gives another etag with each change", () => {
    fc.assert(
      fc.property(perhaps, perhaps, fc.nat(), (before, after, now) => {
        const first = withPolicyFields(
          NO_CACHE_POLICY,
          ["guard"],
          before === undefined ? {} : { guard: before },
          now,
        );
        const second = withPolicyFields(first, ["guard"], after === undefined ? {} : { guard: after }, now);
        const etags = [NO_CACHE_POLICY, first, second].map(cachePolicyEtag);
        expect(new Set(etags).size).toBe(3);
        expect(cachePolicyEtag({ ...second })).toBe(etags[2]);
      }),
    );
  });
});
