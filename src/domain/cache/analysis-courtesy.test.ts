import { describe, expect, it } from "vitest";
import { withoutCourtesy } from "./analysis-courtesy.ts";
import { normalizeText, tokenize } from "./analysis-tokens.ts";

function words(prompt: string): string {
  return withoutCourtesy(tokenize(normalizeText(prompt)))
    .map(({ text }) => text)
    .join(" ")
    .replace(/[ .,]+$/, "");
}

describe("withoutCourtesy", () => {
  it.each([
    "How do I unlock my account?",
    "how to unlock my account",
    "How can we unlock my account",
    "Hi there, I'd like to know how to unlock my account. Thanks!",
    "I was wondering if you could tell me how to unlock my account",
    "What is the best way to unlock my account?",
    "What are the steps to unlock my account",
    "I need help with: unlock my account",
    "Sorry to bother you, but how do I unlock my account?",
    "Could you please show me how I can unlock my account?",
    "I want to unlock my account",
  ])("reads as one request: %s", (prompt) => {
    expect(words(prompt).replace(",", "").replace(/\s+/g, " ")).toBe("how to unlock my account");
  });

  it.each([
    ["I want to cancel. What does it cost?", "cancel . what does it cost"],
    ["How much time does it take?", "how long does it take"],
    ["What is the height of the tower?", "how tall is the tower"],
    ["Do you know if the shop is open?", "the shop is open"],
    ["If it rains, tell me why", "if it rains , why"],
    ["How do I get rid of ants?", "how to remove ants"],
    ["Is someone else using my card?", "is someone else using my card"],
  ])("reads %s as %s", (prompt, expected) => {
    expect(words(prompt)).toBe(expected);
  });

  it("takes time linear in the prompt", () => {
    const hostile = `${"can you please tell me if you could ".repeat(200)}help`;
    expect(words(hostile).length).toBeLessThan(hostile.length);
  });
});
