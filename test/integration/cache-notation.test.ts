import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GuardReason, LookupCacheResponse_Miss_Reason as Reason } from "#gen/recollect/v1/cache_pb.js";
import { startApp, type TestApp } from "../support/start-app.ts";

const scope = { model: "gpt-5" };

function text(value: string): { prompt: { case: "text"; value: string } } {
  return { prompt: { case: "text", value } };
}

describe("cache lookups of prompts that differ in notation", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  async function lookUpAfterStoring(namespace: string, stored: string, asked: string) {
    const origin = { case: "scope" as const, value: scope };
    await app.cache.storeCacheEntry({ namespace, prompt: text(stored), origin, response: "stored" });
    return await app.cache.lookupCache({
      namespace,
      prompt: text(asked),
      scope,
      options: { threshold: 0.1 },
    });
  }

  it.each([
    [
      "exponent",
      "How do I write the number 3e-5 as a plain decimal number without any exponent?",
      "How do I write the number 3e5 as a plain decimal number without any exponent?",
      GuardReason.NUMBER,
    ],
    ["factorial", "What is the value of 5!?", "What is the value of 5?", GuardReason.CODE],
    ["interval", "How long is the interval [1,3)?", "How long is the interval [1,3]?", GuardReason.CODE],
    ["identifier", "What does os.Exit do?", "What does os.exit do?", GuardReason.CODE],
    ["spaces", "What does print('a b') show?", "What does print('a  b') show?", GuardReason.CODE],
    ["payload", "capitalize: hello", "capitalize: Hello", GuardReason.CODE],
    [
      "indent",
      "Which error?\nif x:\n    a()\n    b()",
      "Which error?\nif x:\n    a()\nb()",
      GuardReason.CODE,
    ],
    ["first-line", "    a = 1\n    b = 2", "a = 1\n    b = 2", GuardReason.CODE],
  ])("does not serve one for another: %s", async (namespace, stored, asked, reason) => {
    const { outcome } = await lookUpAfterStoring(namespace, stored, asked);
    expect(outcome.case).toBe("miss");
    expect(outcome.value).toMatchObject({
      reason: Reason.GUARD,
      guardReasons: expect.arrayContaining([reason]),
    });
  });

  it.each([
    ["marks", "What does os.Exit do?", "what does os.Exit do"],
    ["quotes", "Who sang “Yesterday”?", 'Who sang "Yesterday"?'],
    ["lines", "My card is lost.\nWhat now?", "My card is lost. What now?"],
  ])("serves one for another that differs only in writing: %s", async (namespace, stored, asked) => {
    const { outcome } = await lookUpAfterStoring(`same-${namespace}`, stored, asked);
    expect(outcome.case).toBe("hit");
  });
});
