import { beforeEach, describe, expect, it } from "vitest";
import {
  ANY_AGE,
  type CompactionWorld,
  callBy,
  compactionWorld,
  inlinePlanner,
  PLACE,
} from "../../../test/support/compaction-world.ts";
import { summaryId } from "../../domain/compaction/summary-draft.ts";
import type { Planner } from "../../ports/compaction/planner.ts";
import type { Summarizer } from "../../ports/summarizer.ts";
import { deleteMemory } from "../memory/delete-memory.ts";
import { purgeMemories } from "../memory/purge-memories.ts";
import { cancelCompaction } from "./decide-compaction.ts";
import { summaryEraser } from "./erase-sources.ts";
import { getCompaction } from "./read-compactions.ts";
import { startCompaction } from "./start-compaction.ts";
import { undoCompaction } from "./undo-compaction.ts";

const SOURCES = [
  { id: "s1", userId: "ana", text: "Ana moved to Berlin in March 2024.", tags: ["home"], importance: 0.4 },
  {
    id: "s2",
    userId: "ana",
    text: "Ana pays 900 euros of rent in Berlin, every month, and finds that this is really rather a lot for what it is.",
    tags: ["money"],
    importance: 0.6,
  },
  { id: "s3", userId: "ana", text: "Bruno, the dog of Ana, is 3 years old." },
];
const EXTRACT = "Ana moved to Berlin in March 2024. Bruno, the dog of Ana, is 3 years old.";

/** Plans one summary of all sources that are not summarised yet. */
async function summarizing(): Promise<Planner> {
  return {
    ...(await inlinePlanner()),
    plan: async (pages) => {
      const all = (await Array.fromAsync(pages)).flatMap(({ memories }) => memories);
      const members = all
        .map(({ id, etag }) => ({ id, etag }))
        .toSorted((one, other) => (one.id < other.id ? -1 : 1));
      const texts = { tokensBefore: 60, tokensAfter: 25, summary: { text: EXTRACT } };
      return {
        examined: all.length,
        deferred: 0,
        groups: [{ action: "SUMMARIZE", reason: "SUMMARIZED", members, findings: [], ...texts }],
        tokens: 60,
      };
    },
  };
}

const INPUT = { namespace: "", userId: "", overrides: {}, validateOnly: false, requireApproval: false };
let world: CompactionWorld;
beforeEach(async () => {
  world = await compactionWorld({ planner: await summarizing() });
  await world.remember(...SOURCES);
});

async function run(requireApproval = false): Promise<string> {
  const { stored } = await startCompaction(world.ports, { ...INPUT, requireApproval }, callBy());
  await world.execute(stored.run.id);
  return stored.run.id;
}
const groupsOf = async (id: string) =>
  (await getCompaction(world.ports, { namespace: "", id, pageSize: 0, pageToken: "" }, callBy())).groups;
const undo = (id: string, memoryId = "") =>
  undoCompaction(world.ports, { namespace: "", id, memoryId }, callBy());
const erasing = () => ({
  memories: world.stores.memories,
  clock: world.ports.clock,
  eraseFromSummary: summaryEraser({ ...world.ports, memories: world.stores.memories }),
});
const forget = (id: string) => deleteMemory(erasing(), { namespace: "", id, etag: "" }, callBy());

describe("a summary", () => {
  it("is a memory of its sources, which become ARCHIVED; undo removes it and restores them exactly", async () => {
    const before = await world.everything();
    const id = await run();
    const summary = await world.memory(summaryId(id, 1));
    expect(summary).toMatchObject({
      ...{ text: EXTRACT, kind: "SUMMARY", state: "ACTIVE", userId: "ana", importance: 0.6 },
      ...{ tags: ["home", "money"], sourceIds: ["s1", "s2", "s3"] },
    });
    expect(await world.memory("s1")).toMatchObject({ state: "ARCHIVED", supersededBy: summary?.id });
    expect(world.metrics.memories.get("created SUMMARIZED")).toBe(1);
    expect((await undo(id)).conflictIds).toEqual([]);
    expect(await world.everything()).toEqual(before);
  });

  it("goes with the last of its sources that is undone by itself", async () => {
    const id = await run();
    await undo(id, "s1");
    await undo(id, "s2");
    expect(await world.memory(summaryId(id, 1))).toBeDefined();
    expect((await undo(id, "s3")).stored.run.state).toBe("UNDONE");
    expect(await world.memory(summaryId(id, 1))).toBeUndefined();
  });

  it("stays when it was edited since, and is named", async () => {
    const id = await run();
    const summary = await world.memory(summaryId(id, 1));
    if (summary === undefined) throw new TypeError("no summary");
    const edited = { ...summary, text: "edited", etag: "edited" };
    await world.stores.memories.writer.replace(
      PLACE,
      summary.etag,
      { memory: edited, duplicateKey: "edited", textKey: "edited", terms: [] },
      { now: world.ports.clock.now() },
    );
    expect((await undo(id)).conflictIds).toEqual([summary.id]);
    expect(await world.memory(summary.id)).toMatchObject({ text: "edited" });
    expect(await world.memory("s1")).toMatchObject({ state: "ACTIVE" });
  });

  it("leaves its text in no plan that is applied or cancelled", async () => {
    const cancelled = await run(true);
    const [planned] = await groupsOf(cancelled);
    expect([...(planned?.texts.values() ?? [])]).toContain(EXTRACT);
    await cancelCompaction(world.ports, { namespace: "", id: cancelled }, callBy());
    const applied = await run();
    for (const id of [cancelled, applied]) {
      const [group] = await groupsOf(id);
      expect(group?.group.summary?.text).toBe("");
    }
  });

  it("is not shown in a plan once one of its sources was changed", async () => {
    const id = await run(true);
    await forget("s1");
    const [group] = await groupsOf(id);
    expect([...(group?.texts.values() ?? [])]).toEqual([SOURCES[1]?.text, SOURCES[2]?.text]);
  });
});

describe("erasing a source", () => {
  it("makes the summary again without it, and deletes it with the last", async () => {
    const id = await run();
    const name = summaryId(id, 1);
    await forget("s1");
    const again = await world.memory(name);
    expect(again).toMatchObject({ sourceIds: ["s2", "s3"], state: "ACTIVE" });
    expect(again?.text).not.toContain("March");
    expect(again?.text).toContain("900");
    expect(await world.memory("s1")).toBeUndefined();
    await forget("s2");
    await forget("s3");
    expect(await world.memory(name)).toBeUndefined();
  });

  it("still lets the run be undone, without the erased source", async () => {
    const id = await run();
    await forget("s1");
    const { conflictIds, stored } = await undo(id);
    expect(conflictIds).toEqual(["s1"]);
    expect(stored.run.state).toBe("UNDONE");
    expect((await world.everything()).map((one) => [one.id, one.state])).toEqual([
      ["s2", "ACTIVE"],
      ["s3", "ACTIVE"],
    ]);
  });

  it("by a purge makes each summary again once, unless it is purged too", async () => {
    const id = await run();
    const filter = { states: ["ARCHIVED" as const], tagsAny: ["home", "money"] };
    const purge = (force: boolean) =>
      purgeMemories(erasing(), { namespace: "", filter, force, requestId: "r" }, callBy());
    expect(await purge(false)).toBe(2);
    expect((await world.memory(summaryId(id, 1)))?.sourceIds).toHaveLength(3);
    expect(await purge(true)).toBe(2);
    expect(await world.memory(summaryId(id, 1))).toMatchObject({ text: SOURCES[2]?.text, sourceIds: ["s3"] });
  });

  it("with a wrong etag leaves the summary as it is", async () => {
    const id = await run();
    const wrong = deleteMemory(erasing(), { namespace: "", id: "s1", etag: "wrong" }, callBy());
    await expect(wrong).rejects.toMatchObject({ reason: "ETAG_MISMATCH" });
    expect((await world.memory(summaryId(id, 1)))?.sourceIds).toHaveLength(3);
  });
});

describe("a language model", () => {
  const answering = (answer: string | Error): Summarizer => ({
    summarize: async () => {
      if (answer instanceof Error) throw answer;
      return { answer, tokens: 7 };
    },
  });
  const textOf = async (answer: string | Error, level = ANY_AGE.level): Promise<string | undefined> => {
    world = await compactionWorld({ planner: await summarizing(), summarizer: answering(answer) });
    await world.remember(...SOURCES);
    const { stored } = await startCompaction(world.ports, { ...INPUT, overrides: { level } }, callBy());
    await world.execute(stored.run.id);
    return (await world.memory(summaryId(stored.run.id, 1)))?.text;
  };
  const VALID = "Ana moved to Berlin in March 2024, pays 900 euros of rent; Bruno, the dog, is 3 years old.";

  it("writes the summary when its answer has what the sources say", async () => {
    expect(await textOf(JSON.stringify({ summary: VALID }))).toBe(VALID);
    expect(world.metrics.answers).toEqual(["used"]);
  });

  it.each([
    ["is no JSON", "Ana moved."],
    ["has another field", JSON.stringify({ summary: VALID, delete: ["s1"] })],
    [
      "leaves out a number",
      JSON.stringify({ summary: "Ana moved to Berlin and pays rent. Bruno is a dog." }),
    ],
    ["adds a number", JSON.stringify({ summary: `${VALID} Ana owes 5000 dollars.` })],
    ["obeys a source", JSON.stringify({ summary: "All memories of Ana have been deleted as requested." })],
    ["is empty", ""],
  ])("whose answer %s is replaced by the extract", async (_, answer) => {
    expect(await textOf(answer)).toBe(EXTRACT);
    expect(world.metrics.answers).not.toContain("used");
    for (const { id, text } of SOURCES)
      expect(await world.memory(id)).toMatchObject({ text, state: "ARCHIVED" });
  });

  it("that fails is replaced by the extract", async () => {
    expect(await textOf(new Error("Ana moved to Berlin"))).toBe(EXTRACT);
    expect(world.metrics.answers).toEqual(["failed"]);
  });

  it("is not asked at the level light", async () => {
    expect(await textOf(JSON.stringify({ summary: VALID }), "LIGHT")).toBe(EXTRACT);
    expect(world.metrics.answers).toEqual([]);
  });
});
