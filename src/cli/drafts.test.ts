import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Memory_Kind } from "#gen/recollect/v1/memory_pb.js";
import { type Draft, draftsOfFiles, draftsOfJsonLines, memoryOfJson } from "./drafts.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "recollect-drafts-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

const memoryOf = (draft: Draft | undefined) => (draft && "memory" in draft ? draft.memory : undefined);
const problemOf = (draft: Draft | undefined) => (draft && "problem" in draft ? draft.problem : undefined);

describe("memoryOfJson", () => {
  it.each(["userId", "user_id"])("reads the API's JSON with %s", (field) => {
    const memory = memoryOfJson(
      JSON.stringify({
        text: "t",
        [field]: "ana",
        kind: "KIND_MESSAGE",
        tags: ["a"],
        metadata: { n: 1 },
        ttl: "90s",
      }),
    );
    expect(memory).toMatchObject({ text: "t", userId: "ana", kind: Memory_Kind.MESSAGE, metadata: { n: 1 } });
    expect(memory.expiration).toMatchObject({ case: "ttl", value: { seconds: 90n } });
  });

  it.each([
    ["{", /^not JSON: /],
    ['{"text": 1}', /^not a memory: .*text/],
    ['{"txt": "t"}', /^not a memory: .*txt/],
    ["[]", /^not a memory: /],
  ])("refuses %s", (text, message) => {
    expect(() => memoryOfJson(text)).toThrow(message);
  });
});

describe("draftsOfJsonLines", () => {
  it("continues after an invalid line and names it", async () => {
    const path = await file("some.jsonl", '{"text":"one"}\r\n\nnonsense\n{"text":"a\u2028b"}');
    const drafts = await Array.fromAsync(draftsOfJsonLines(path, {}));
    expect(drafts.map(({ origin }) => origin)).toEqual([
      `${path}, line 1`,
      `${path}, line 3`,
      `${path}, line 4`,
    ]);
    expect(problemOf(drafts[1])).toMatch(/^not JSON/);
    expect(memoryOf(drafts[2])?.text).toBe("a\u2028b");
  });

  it("applies defaults to missing fields, and adds tags", async () => {
    const path = await file(
      "defaults.jsonl",
      '{"text":"one","userId":"bob","tags":["a"],"importance":0}\n{"text":"two"}',
    );
    const defaults = { userId: "ana", kind: Memory_Kind.EPISODIC, tags: ["a", "b"], importance: 0.9 };
    const [first, second] = (await Array.fromAsync(draftsOfJsonLines(path, defaults))).map(memoryOf);
    expect(first).toMatchObject({
      userId: "bob",
      kind: Memory_Kind.EPISODIC,
      tags: ["a", "b"],
      importance: 0,
    });
    expect(second).toMatchObject({ userId: "ana", tags: ["a", "b"], importance: 0.9 });
  });
});

describe("draftsOfFiles", () => {
  it("sets source, heading and position of each passage", async () => {
    const path = await file("guide.md", "\uFEFF# Guide\n\nIntro.\n\n# Other\n\nMore.");
    const drafts = await Array.fromAsync(draftsOfFiles([path], { tags: ["docs"] }));
    expect(drafts.map((draft) => memoryOf(draft)?.metadata)).toEqual([
      { source: path, heading: "Guide", passage: 1 },
      { source: path, heading: "Other", passage: 2 },
    ]);
    expect(memoryOf(drafts[0])).toMatchObject({ text: "# Guide\n\nIntro.", tags: ["docs"] });
  });

  it("reports a file that is not text and continues", async () => {
    const binary = await file("image.md", Uint8Array.of(0x89, 0x50, 0xff, 0xfe));
    const text = await file("text.md", "text");
    const drafts = await Array.fromAsync(draftsOfFiles([binary, text], {}));
    expect(problemOf(drafts[0])).toContain("not UTF-8 text");
    expect(memoryOf(drafts[1])?.text).toBe("text");
  });
});
