import { expect, it } from "vitest";
import { embeddingKey } from "./key.ts";

const SOURCE = { provider: "openai", apiBase: "http://a/v1", model: "m", dimension: 12 };

it("differs when anything differs that the vector depends on", () => {
  const keys = [
    embeddingKey(SOURCE, "text"),
    embeddingKey(SOURCE, "Text"),
    embeddingKey({ ...SOURCE, provider: "other" }, "text"),
    embeddingKey({ ...SOURCE, apiBase: "http://b/v1" }, "text"),
    embeddingKey({ ...SOURCE, model: "m1", dimension: 2 }, "text"),
    embeddingKey({ ...SOURCE, dimension: 1 }, "2text"),
    embeddingKey({ ...SOURCE, model: "m12" }, "text"),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  expect(embeddingKey({ ...SOURCE }, "text")).toBe(keys[0]);
  expect(keys[0]).toMatch(/^[0-9a-f]{64}$/);
});
