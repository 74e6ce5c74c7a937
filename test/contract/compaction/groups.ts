import { expect, it } from "vitest";
import type { CompactionGroup } from "../../../src/domain/compaction/group.ts";
import { NOW, seededRandom } from "../../support/builders.ts";
import { type CompactionSubject, group, startRun } from "./support.ts";

/** The plan of a run, which is its journal too. */
export function groupCases(subject: CompactionSubject): void {
  const groups = (id: string, options: { after?: number; limit?: number; maxBytes?: number } = {}) =>
    subject.store.compactions.groups(subject.scope, id, {
      after: 0,
      limit: 1000,
      maxBytes: 1_000_000,
      ...options,
    });
  const numbers = (found: readonly CompactionGroup[]) => found.map(({ number }) => number);

  it("is stored complete", async () => {
    const whole = group(1, {
      action: "SUMMARIZE",
      reason: "SUMMARIZED",
      members: [
        { id: "a", etag: "1" },
        { id: "b", etag: "2" },
      ],
      summary: { id: "s", text: '茶 "quoted"\n👩‍👩‍👧' },
      similarity: 0.8125,
      findings: ["NUMBER", "DATE"],
      journal: [
        {
          id: "a",
          etagAfter: "3",
          before: {
            etag: "1",
            updateTime: NOW,
            state: "ACTIVE",
            supersededBy: "",
            tags: ["x"],
            importance: 0,
          },
          undone: true,
        },
      ],
      state: "APPLIED",
    });
    const { write } = await startRun(subject);
    await write({ groups: [whole, group(2, { action: "KEEP", reason: "CAP", state: "DROPPED" })] });
    expect(await groups("run-1")).toEqual([
      whole,
      group(2, { action: "KEEP", reason: "CAP", state: "DROPPED" }),
    ]);
  });

  it("is written in several writes, and read in order, page by page", async () => {
    const { write } = await startRun(subject);
    const all = Array.from({ length: 25 }, (_, at) => group(at + 1));
    for (let at = 0; at < all.length; at += 10) await write({ groups: all.slice(at, at + 10) });
    expect(await groups("run-1")).toEqual(all);
    const found: CompactionGroup[] = [];
    for (let page = await groups("run-1", { limit: 7 }); page.length > 0; ) {
      expect(page.length).toBeLessThanOrEqual(7);
      found.push(...page);
      page = await groups("run-1", { after: found.at(-1)?.number ?? 0, limit: 7 });
    }
    expect(found).toEqual(all);
    expect(await groups("run-1", { after: 25 })).toEqual([]);
    expect(await groups("unknown")).toEqual([]);
  });

  it("has pages of at most so many bytes, with one group at least", async () => {
    const { write } = await startRun(subject);
    // Some 2,200 bytes, and 1,400 where records are compressed.
    const random = seededRandom(1);
    const text = String.fromCharCode(
      ...Array.from({ length: 700 }, () => 0x4e00 + Math.floor(random() * 20_000)),
    );
    const long = { summary: { id: "s", text } };
    await write({ groups: [group(1, long), group(2, long), group(3), group(4), group(5, long)] });
    expect(numbers(await groups("run-1", { maxBytes: 1 }))).toEqual([1]);
    expect(numbers(await groups("run-1", { after: 1, maxBytes: 1 }))).toEqual([2]);
    expect(numbers(await groups("run-1", { maxBytes: 2500 }))).toEqual([1]);
    expect(numbers(await groups("run-1", { after: 1, maxBytes: 2900 }))).toEqual([2, 3, 4]);
    expect(numbers(await groups("run-1", { after: 2, maxBytes: 1000 }))).toEqual([3, 4]);
  });

  it("changes group by group", async () => {
    const { write } = await startRun(subject);
    await write({ groups: [group(1), group(2), group(3)] });
    await write({ groups: [group(2, { state: "APPLIED" })] });
    await write({ groups: [group(1, { state: "DROPPED" }), group(3, { state: "UNDONE" })] });
    expect((await groups("run-1")).map(({ state }) => state)).toEqual(["DROPPED", "APPLIED", "UNDONE"]);
  });

  it("is discarded by who plans again after another process has stopped", async () => {
    const { write } = await startRun(subject);
    await startRun(subject, { id: "other" }, { ...subject.scope, namespace: "other" });
    await write({ groups: [group(1), group(2), group(3)] });
    await write({ discardGroups: true, groups: [group(1, { reason: "SAME_WORDS" })] });
    expect(await groups("run-1")).toEqual([group(1, { reason: "SAME_WORDS" })]);
    await write({ discardGroups: true });
    expect(await groups("run-1")).toEqual([]);
    await write({ groups: [group(1)] });
    expect(await groups("run-1")).toEqual([group(1)]);
  });

  it("belongs to its run", async () => {
    const one = await startRun(subject, { id: "run-1", userId: "ana" });
    const two = await startRun(subject, { id: "run-2", userId: "ben" });
    await one.write({ groups: [group(1), group(2)] });
    await two.write({ groups: [group(1, { action: "ARCHIVE" })] });
    await one.write({ discardGroups: true });
    expect(await groups("run-1")).toEqual([]);
    expect(await groups("run-2")).toEqual([group(1, { action: "ARCHIVE" })]);
  });
}
