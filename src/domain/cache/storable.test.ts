import { describe, expect, it } from "vitest";
import { isCutOff, isRefusal } from "./storable.ts";

describe("isRefusal", () => {
  it.each([
    "I'm sorry, but I can't help with that.",
    "I’m sorry, I cannot assist with this request.",
    "Sorry, I can't provide medical advice.",
    "I cannot answer that question.",
    "I can't directly help with that.",
    "Unfortunately, I am unable to provide that information.",
    "As an AI language model, I cannot browse the internet.",
    "I'm sorry, but as an AI developed to be safe, I can't help with that.",
    "As a large language model I don't have opinions.",
    "Sorry, but I don't have access to your account.",
    "I do not have real-time information.",
    "I apologize, but I can't generate this.",
  ])("is: %s", (response) => {
    expect(isRefusal(response)).toBe(true);
  });

  it.each([
    "I'm sorry you can't log in. Reset your password under Settings.",
    "Unfortunately, we cannot refund orders after 30 days.",
    "You can't help it: water boils at 100 degrees.",
    "I can't is short for I cannot.",
    "Sorry to hear that. Please open a ticket.",
    "As an AI engineer you need statistics.",
    `I can't help with the first part. ${"The second part is as follows. ".repeat(30)}`,
    "yes",
  ])("is not: %s", (response) => {
    expect(isRefusal(response)).toBe(false);
  });
});

describe("isCutOff", () => {
  it.each(["length", "max_tokens", "MAX_TOKENS", "content_filter", "SAFETY", "max-output-tokens"])(
    "is for %s",
    (reason) => {
      expect(isCutOff(reason)).toBe(true);
    },
  );

  it.each(["", "stop", "end_turn", "STOP", "tool_calls", "something new"])("is not for '%s'", (reason) => {
    expect(isCutOff(reason)).toBe(false);
  });
});
