import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { LOCAL_MODEL } from "../../domain/embedding/built-in-models.ts";
import { dot } from "../../domain/embedding/vector.ts";
import { openLocalEmbedder } from "./embedder.ts";
import { readEmbeddingTable } from "./model-file.ts";

const FILE = new URL("./minilm-static.bin", import.meta.url);
const embedder = await openLocalEmbedder();

async function vectorsOf(texts: readonly string[]): Promise<Float32Array[]> {
  return (await embedder.embed(texts, new AbortController().signal)).map(({ vector }) => vector);
}

/** The similarity of the first text with each of the others. */
async function similarities(text: string, others: readonly string[]): Promise<number[]> {
  const [one = new Float32Array(), ...rest] = await vectorsOf([text, ...others]);
  return rest.map((other) => dot(one, other));
}

describe("the local embedder", () => {
  it.each([
    ["car trouble", "the automobile would not start"],
    ["what did the doctor say", "the physician prescribed rest"],
    ["Where can I get something to eat?", "There is a good restaurant around the corner"],
    ["How do I cancel my subscription?", "ending a membership early"],
    ["my kids are sick", "The children have the flu"],
  ])("holds %j nearer to %j than to what is about something else", async (text, meant) => {
    const others = [
      "Quarterly revenue grew by nine percent",
      "Lisbon is sunny in October",
      "We planted tomatoes behind the house",
      "The deployment runs from the main branch",
    ];
    const [near = 0, ...far] = await similarities(text, [meant, ...others]);
    for (const one of far) expect(near).toBeGreaterThan(one + 0.05);
  });

  it.each([
    [
      "an identifier",
      "order ORD-48213-XK has left",
      "What became of ORD-48213-XK?",
      "What became of ORD-77120-QZ?",
    ],
    ["a rare name", "Xylothrandia called", "Did Xylothrandia call?", "Did Quorvenbeth call?"],
    ["a typo in a rare name", "Xylothrandia called", "Did Xylothrandai call?", "Did Quorvenbeth call?"],
    ["Russian", "кошка спит на диване", "кошки спали на диване", "собака бежит по улице"],
    ["Chinese", "東京の天気", "今日の東京の天気は晴れ", "会議は月曜日に始まります"],
    ["Thai", "อากาศวันนี้ดีมาก", "วันนี้อากาศดี", "ฉันชอบกินข้าว"],
  ])("finds the wording of %s, which the vocabulary lacks", async (_, text, same, other) => {
    const [near = 0, far = 0] = await similarities(text, [same, other]);
    expect(near).toBeGreaterThan(far + 0.1);
  });

  it("gives a text the same vector in every version and on every platform, because stored ones are compared with it", async () => {
    const texts = [
      "The quick brown fox's jumps over the lazy dogs, twice twice twice",
      "Crème brûlée for ORD-48213-XK: Xylothrandia, 東京の天気 кошка ตัวอย่าง 🎉",
      "a",
      "…",
      "",
    ];
    const hash = createHash("sha256");
    for (const vector of await vectorsOf(texts)) {
      // In the order of bytes that it has in stores.
      for (const number of vector) {
        const bytes = Buffer.alloc(4);
        bytes.writeFloatLE(number);
        hash.update(bytes);
      }
    }
    // With another one, LOCAL_MODEL has another name.
    expect(LOCAL_MODEL.model).toBe("minilm-static-1");
    expect(hash.digest("hex")).toBe("78c15609ee55b92016e0392de74fb53c4da563b8cdc663a8170266c8976809c7");
  });

  it("yields to the event loop within a long text, and stops there when the signal aborts", async () => {
    const controller = new AbortController();
    const reason = new Error("aborted");
    setImmediate(() => controller.abort(reason));
    await expect(embedder.embed(["word ".repeat(13_000)], controller.signal)).rejects.toBe(reason);
  });

  it("refuses a file that is damaged, and says which", async () => {
    const folder = await mkdtemp(join(tmpdir(), "recollect-table-"));
    try {
      const content = await readFile(FILE);
      content[content.length >> 1] = (content[content.length >> 1] ?? 0) ^ 1;
      const path = join(folder, "table.bin");
      await writeFile(path, content);
      await expect(readEmbeddingTable(pathToFileURL(path))).rejects.toThrow(/table\.bin is damaged/);
      await writeFile(path, "");
      await expect(readEmbeddingTable(pathToFileURL(path))).rejects.toThrow(/table\.bin is damaged/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("is one file of at most 10 MB", async () => {
    expect((await readFile(FILE)).length).toBeLessThan(10_000_000);
  });
});
