import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ANALYSIS_VERSION, analyzePrompt, MAX_TOKENS } from "./analysis.ts";
import { stemWord } from "./analysis-stems.ts";

function texts(prompt: string): string[] {
  return analyzePrompt(prompt).items.map((item) => item.text);
}

describe("analyzePrompt", () => {
  it("drops courtesy, filler and function words", () => {
    expect(texts("Hello, could you please tell me how to bake the bread? Thank you!")).toEqual([
      "bake",
      "bread",
    ]);
  });

  it.each([
    ["five kilometres", ["5 km"]],
    ["5km", ["5 km"]],
    ["two hundred and five", ["205"]],
    ["between one hundred and two hundred", ["100", "200"]],
    ["$1,250.00", ["1250 usd"]],
    ["1.5 million", ["1500000"]],
    ["March 5th, 2024", ["2024-3-5"]],
    ["5 March", ["*-3-5"]],
    ["5:30 pm", ["17:30"]],
    ["12 am", ["0:00"]],
    ["03/04/2024", ["03/04/2024"]],
    ["3.10", ["3.10"]],
  ])("reads %s", (prompt, expected) => {
    expect(texts(prompt)).toEqual(expected);
  });

  it.each([
    ["run --dry-run now", "--dry-run"],
    ["call get_user_name now", "get_user_name"],
    ["explain `a  + b` now", "a + b"],
    ["open src/main.ts now", "src/main.ts"],
    ["learn C++ now", "C++"],
  ])("keeps code unchanged: %s", (prompt, code) => {
    expect(analyzePrompt(prompt).items).toContainEqual(expect.objectContaining({ kind: "code", text: code }));
  });

  it("treats a capitalised word as a name only inside a sentence that is not all capitals", () => {
    const names = (prompt: string): string[] =>
      analyzePrompt(prompt).items.flatMap((item) => (item.kind === "name" ? [item.text] : []));
    expect(names("Where does Hannah live?")).toEqual(["hannah"]);
    expect(names("Bread is good")).toEqual([]);
    expect(names("WHERE DOES HANNAH LIVE")).toEqual([]);
    expect(names("Marie Curie won")).toEqual(["marie", "curie"]);
  });

  it("collects the words of the closed classes", () => {
    expect(analyzePrompt("Should all members not leave if the bell rang?")).toMatchObject({
      quantifiers: ["all"],
      negations: ["leav"],
      modality: ["if", "present", "should"],
    });
    expect(analyzePrompt("How much does it cost?").question).toBe("how much");
    expect(analyzePrompt("Will it be there?")).toMatchObject({
      question: "whether",
      modality: ["future"],
    });
  });

  it("puts a passive into active order", () => {
    expect(texts("Was Alice hired by Bob?")).toEqual(texts("Bob hired Alice"));
  });

  it("does not change words of other languages", () => {
    const analysis = analyzePrompt("Wie kann ich mein Konto löschen?");
    expect(analysis.language).toBe("other");
    expect(analysis.items.map((item) => item.text)).toEqual([
      "wie",
      "kann",
      "ich",
      "mein",
      "konto",
      "löschen",
    ]);
  });

  it("stores only the hash of a prompt over the cap", () => {
    const analysis = analyzePrompt("word ".repeat(MAX_TOKENS + 1));
    expect(analysis.items).toEqual([]);
    expect(analysis.digest).not.toBe("");
    expect(analyzePrompt("word ".repeat(MAX_TOKENS)).digest).toBe("");
  });

  it("normalises spellings before stemming", () => {
    expect(stemWord("organising")).toBe(stemWord("organizes"));
    expect(stemWord("wrote")).toBe(stemWord("writes"));
  });

  it("returns plain JSON for any string, including lone surrogates", () => {
    const codeUnits = fc
      .array(fc.integer({ min: 0, max: 0xffff }))
      .map((units) => String.fromCharCode(...units));
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), codeUnits), (text) => {
        const analysis = analyzePrompt(text);
        expect(analysis.version).toBe(ANALYSIS_VERSION);
        expect(JSON.parse(JSON.stringify(analysis))).toEqual(analysis);
        expect(analyzePrompt(text)).toEqual(analysis);
      }),
      { numRuns: 1_000 },
    );
  });
});
