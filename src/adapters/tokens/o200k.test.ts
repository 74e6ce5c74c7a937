import { encode } from "gpt-tokenizer/encoding/o200k_base";
import { describe, expect, it } from "vitest";
import { countO200k } from "./o200k.ts";

describe("countO200k", () => {
  it.each(["", " ", "Ana likes tea.", "Größe: 1,5 m\n\n- 漢字かな交じり文 🎉", "x = foo(bar)[0] # ok"])(
    "counts the tokens of %j",
    (text) => expect(countO200k(text)).toBe(encode(text).length),
  );

  it("takes the name of a special token for text", () => {
    expect(countO200k("<|endoftext|>")).toBeGreaterThan(1);
  });

  it("is exact beside a long word, and within one token for each 128 characters of it", () => {
    const word = "ab1".repeat(200);
    const text = `before ${word} after`;
    const exact = encode(text).length;
    expect(countO200k(text)).toBeGreaterThanOrEqual(exact - 1);
    expect(countO200k(text)).toBeLessThanOrEqual(exact + Math.ceil(word.length / 128));
  });
});
