import { describe, expect, it } from "vitest";
import { isExplained, otherModel } from "./configured-model.ts";

const model = (name: string) => ({ provider: "openai", model: name, dimension: 8 });
const [x, y, z] = [model("x"), model("y"), model("z")];

describe("another model than is configured", () => {
  it.each([
    ["nothing has ever changed", { before: undefined, latest: undefined }, false],
    ["the last start was set to it", { before: x, latest: undefined }, true],
    ["the last start was set to a third", { before: z, latest: undefined }, false],
    ["it was changed from", { before: undefined, latest: { source: x, target: y, state: "DONE" } }, true],
    [
      "it is being changed to",
      { before: undefined, latest: { source: y, target: x, state: "RUNNING" } },
      true,
    ],
    [
      "the change to it failed",
      { before: undefined, latest: { source: y, target: x, state: "FAILED" } },
      false,
    ],
    [
      "the change to it is over",
      { before: undefined, latest: { source: y, target: x, state: "DONE" } },
      false,
    ],
    ["others were changed", { before: undefined, latest: { source: z, target: y, state: "DONE" } }, false],
  ] as const)("when %s", (_, { before, latest }, explained) => {
    expect(isExplained({ configured: x, stored: y, before, latest })).toBe(explained);
  });

  it("is refused with both in the words of the settings, and what to do", () => {
    const said = otherModel(
      { stored: { ...y, provider: "hashing" }, configured: x },
      { vectors: "they", elsewhere: "PLACE" },
    );
    expect(said).toContain("they were made by EMBEDDING_PROVIDER=hashing (y), VECTOR_DIM=8");
    expect(said).toContain("set to EMBEDDING_PROVIDER=openai, EMBEDDING_MODEL=x, VECTOR_DIM=8");
    expect(said).toMatch(/StartReembedding with model x and dimension 8\. Or use another PLACE$/);
  });
});
