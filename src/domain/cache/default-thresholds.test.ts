import { describe, expect, it } from "vitest";
import { defaultThreshold } from "./default-thresholds.ts";

describe("the default threshold", () => {
  it.each([["all-MiniLM-L6-v2"], ["sentence-transformers/all-MiniLM-L6-v2"], ["ALL-MINILM-L6-V2"]])(
    "knows %s by its name",
    (model) => {
      expect(defaultThreshold({ model })).toBe(defaultThreshold({ model: "all-minilm-l6-v2" }));
    },
  );

  it("is another one for models whose similarities lie closer together", () => {
    expect(defaultThreshold({ model: "text-embedding-ada-002" })).toBeGreaterThan(
      defaultThreshold({ model: "all-minilm-l6-v2" }),
    );
  });

  it.each([[undefined], [{ model: "unknown" }], [{ model: "constructor" }], [{ model: "" }]])(
    "is 0.85 for %o, of which nothing is known",
    (identity) => {
      expect(defaultThreshold(identity)).toBe(0.85);
    },
  );
});
