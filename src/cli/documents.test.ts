import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Passage, splitDocument } from "./documents.ts";

const squeeze = (text: string): string => text.replaceAll(/\s+/g, "");
const textsOf = (passages: readonly Passage[]): string[] => passages.map(({ text }) => text);

/** Strings of markup that the splitter handles, which random characters rarely form. */
const markdown = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "# ",
        "## ",
        "#### ",
        "```",
        "~~~~",
        "````js",
        "===",
        "---",
        "- ",
        "\n",
        "\r\n",
        "\r",
        "\n\n",
      ),
      fc.constantFrom(" ", "    ", "\t", ". ", "👩‍🚀", "ß", "漢字", "\u{2028}", "[a](b)", "`x`", "<b>"),
      fc.lorem({ maxCount: 30 }),
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.string({ unit: "grapheme", maxLength: 40 }),
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(""));

const sizes = fc.record({
  targetLength: fc.integer({ min: 1, max: 200 }),
  maxLength: fc.integer({ min: 2, max: 500 }),
});

describe("splitDocument", () => {
  it("loses nothing but white space", () => {
    fc.assert(
      fc.property(markdown, sizes, (document, options) => {
        expect(squeeze(textsOf(splitDocument(document, options)).join(""))).toBe(squeeze(document));
      }),
    );
  });

  it("makes no empty passage and none longer than the maximum, and numbers them from 1", () => {
    fc.assert(
      fc.property(markdown, sizes, (document, options) => {
        for (const [at, { text, index }] of splitDocument(document, options).entries()) {
          expect(text.length).toBeLessThanOrEqual(options.maxLength);
          expect(text.trim()).not.toBe("");
          expect(index).toBe(at + 1);
        }
      }),
    );
  });

  it("divides no surrogate pair", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 400 }), sizes, (document, options) => {
        for (const { text } of splitDocument(document, options)) expect(text.isWellFormed()).toBe(true);
      }),
    );
  });

  it("keeps passages below 64 KiB of UTF-8 by default, whatever the text", () => {
    for (const unit of ["漢", "👩", "a", "a ", "漢.\n"]) {
      for (const { text } of splitDocument(unit.repeat(100_000))) {
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(12_000);
      }
    }
  });

  it("starts a passage at each heading and names the headings above it", () => {
    const long = "Words that fill the section. ".repeat(20).trim();
    const passages = splitDocument(
      `# Title\n\n${long}\n\n## [Usage](#usage) of \`it\`\n\n${long}\n\n### Deep ##\n${long}\n\n## Next\n${long}`,
    );
    expect(passages.map(({ headings }) => headings)).toEqual([
      ["Title"],
      ["Title", "Usage of it"],
      ["Title", "Usage of it", "Deep"],
      ["Title", "Next"],
    ]);
    expect(passages[1]?.text.startsWith("## [Usage](#usage) of `it`\n\nWords")).toBe(true);
  });

  it("keeps headings without text of their own with the text that follows", () => {
    const [passage, ...others] = splitDocument("# Title\n\n## Install\n\nRun it.");
    expect(others).toEqual([]);
    expect(passage).toEqual({
      text: "# Title\n\n## Install\n\nRun it.",
      headings: ["Title", "Install"],
      index: 1,
    });
  });

  it("omits badges from headings", () => {
    const [passage] = splitDocument("# uuid [![CI](https://a/b.svg)](https://a) `fn([x])` <b>!</b>");
    expect(passage?.headings).toEqual(["uuid fn(x) !"]);
  });

  it("reads underlined headings", () => {
    const [passage] = splitDocument("Title\n=====\n\nText");
    expect(passage?.headings).toEqual(["Title"]);
  });

  it("treats hash signs inside code as code", () => {
    const [passage, ...others] = splitDocument("# Title\n\n```sh\n# not a heading\nls\n```\n");
    expect(others).toEqual([]);
    expect(passage?.headings).toEqual(["Title"]);
  });

  it("keeps a code block whole up to the maximum, with a short sentence before it", () => {
    const code = `\`\`\`js\n${"const line = 1;\n\n".repeat(60)}\`\`\``;
    const passages = splitDocument(`Like this:\n\n${code}\n\nAfter.`);
    expect(textsOf(passages)).toEqual([`Like this:\n\n${code}`, "After."]);
  });

  it("splits a code block longer than the maximum at its lines", () => {
    const line = "const line = 1;";
    const passages = splitDocument(`\`\`\`\n${`${line}\n`.repeat(600)}\`\`\``);
    expect(passages.length).toBeGreaterThan(1);
    const lines = textsOf(passages).flatMap((text) => text.split("\n"));
    expect(new Set(lines)).toEqual(new Set(["```", line]));
  });

  it("splits a long paragraph between sentences", () => {
    const sentence = "This sentence says something. ";
    const passages = splitDocument(sentence.repeat(100));
    expect(passages.length).toBeGreaterThan(2);
    for (const { text } of passages) expect(text.endsWith("something.")).toBe(true);
  });

  it("finds nothing in an empty document", () => {
    expect(splitDocument(" \n\t\r\n")).toEqual([]);
  });
});
