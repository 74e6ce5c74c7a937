import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Volatility, volatilityOf } from "./volatility.ts";

const PROMPTS: Readonly<Record<Volatility, readonly string[]>> = {
  LIVE: [
    "What's the weather in Vienna?",
    "what is the weather like",
    "How is the weather today?",
    "Will it rain tomorrow in Graz?",
    "current weather",
    "What is the latest price of NVDA?",
    "what's the current exchange rate between usd and eur",
    "What is the exchange rate between US dollars and yen",
    "bitcoin price",
    "What is the price of gold?",
    "Tell me today's news",
    "Give me the latest headlines about elections",
    "What time is it in Adelaide?",
    "what's today’s date",
    "What day is it?",
    "Who is winning the match?",
    "What's the score of the Lakers game?",
    "Is the museum open right now?",
    "Is GitHub down right now",
    "what's happening in Paris today",
    "Wie ist das Wetter in Wien?",
    "¿Qué hora es?",
  ],
  DAILY: [
    "What should I cook today?",
    "How much money can I transfer today",
    "What can I do now?",
    "Which health plan am I currently enrolled in?",
    "My card was declined yesterday, why?",
    "Was kann ich heute unternehmen?",
  ],
  RECENT: [
    "What is the latest version of Node.js?",
    "Which recent papers discuss caching?",
    "Who is the president of France?",
    "What changed in tax law this year?",
  ],
  STABLE: [
    "How do I cancel my order?",
    "How does a weather radar work?",
    "What is the weather in Athens in April?",
    "What was the weather like in Lisbon?",
    "How is the weather usually in Rome?",
    "What is an exchange rate?",
    "What is a stock price?",
    "What does `today` mean in this config?",
    "What does datetime.now() return?",
    "How do I call Date.now in JavaScript?",
    'Translate "see you today" into German',
    "What time does the store open?",
    "From now on answer in French: what is a monad?",
    "Now that I have an account, how do I add a card?",
    "How do I price a product?",
    "The exchange rate for my transaction last Saturday seems to be wrong.",
    "What's going on with my top-up? It says pending.",
    "I recently made a payment. How long does it take?",
    "What is the boiling point of water?",
    "",
  ],
};

describe("volatilityOf", () => {
  for (const [volatility, prompts] of Object.entries(PROMPTS)) {
    it.each(prompts)(`is ${volatility} for: %s`, (prompt) => {
      expect(volatilityOf(prompt)).toBe(volatility);
    });
  }

  it("does not depend on case, outer white space or kind of apostrophe", () => {
    const prompt = fc.constantFrom(...Object.values(PROMPTS).flat());
    fc.assert(
      fc.property(prompt, (one) => {
        // An identifier in capitals is still one.
        expect(volatilityOf(` \n${one.replaceAll("'", "’")}\t`)).toBe(volatilityOf(one));
        expect(volatilityOf(one.toUpperCase())).toBe(volatilityOf(one));
      }),
    );
  });

  it("looks at the first 2,000 characters", () => {
    expect(volatilityOf(`${"x ".repeat(900)}What is the weather?`)).toBe("LIVE");
    expect(volatilityOf(`${"x ".repeat(1000)}What is the weather?`)).toBe("STABLE");
  });
});
