import { applyGroup } from "../../domain/compaction/apply-group.ts";
import type { CompactionGroup, GroupMember } from "../../domain/compaction/group.ts";
import { withDone, withoutText } from "../../domain/compaction/run-changes.ts";
import { summaryDraft } from "../../domain/compaction/summary-draft.ts";
import { indexedText, type Memory, recordOf } from "../../domain/memory/memory.ts";
import type { NewMemory } from "../../ports/memory/writer.ts";
import { embedForWrite } from "../embedding/embed-for-write.ts";
import { prepareMemory } from "../memory/prepare-memory.ts";
import type { HeldRun } from "./held-run.ts";
import type { CompactionPorts } from "./ports.ts";
import type { Steps } from "./steps.ts";

/**
 * Applies the groups of a plan that are not done yet, one after the other, each in one atomic step. A group is dropped when
 * one of its memories was changed since it was planned.
 */
export async function applyRun(ports: CompactionPorts, held: HeldRun, steps: Steps): Promise<void> {
  const start = performance.now();
  for await (const group of held.groups()) {
    if (group.action !== "KEEP" && group.state === "PLANNED") await applyOne(ports, held, group, steps);
  }
  ports.metrics.compactionPhase("apply", performance.now() - start);
}

async function applyOne(
  ports: CompactionPorts,
  held: HeldRun,
  group: CompactionGroup,
  steps: Steps,
): Promise<void> {
  const memories = await unchanged(ports, held, group, steps);
  const dropped: CompactionGroup = { ...withoutText(group), state: "DROPPED" };
  if (memories === undefined) {
    await held.write(withDone(held.run, dropped), { groups: [dropped] });
    return;
  }
  const now = ports.clock.now();
  const { members, survivor } = memories;
  const merged =
    survivor === undefined
      ? undefined
      : { memory: survivor, fields: group.action === "MERGE" ? ports.merge(survivor, members) : {} };
  const { put, journal } = applyGroup(group, members, merged, now);
  const create = await createdSummary(ports, group, members, now, steps);
  const applied: CompactionGroup = {
    ...withoutText(group),
    state: "APPLIED",
    journal,
    ...(create === undefined || group.summary === undefined
      ? {}
      : { summary: { id: group.summary.id, text: "", etag: create.memory.etag } }),
  };
  const changes = {
    expected: [...group.members, ...(group.survivor === undefined ? [] : [group.survivor])],
    ...{ put, create: create === undefined ? [] : [create], remove: [] },
  };
  const changed = await steps.run("WRITE", () =>
    held.write(withDone(held.run, applied), { groups: [applied], changes }),
  );
  if (changed.length > 0) await held.write(withDone(held.run, dropped), { groups: [dropped] });
  else countApplied(ports, group);
}

/** The memories of a group; undefined: one was changed, deleted or has expired since it was planned. */
async function unchanged(
  { memories, clock }: CompactionPorts,
  { namespaceKey }: HeldRun,
  group: CompactionGroup,
  steps: Steps,
): Promise<{ readonly members: readonly Memory[]; readonly survivor: Memory | undefined } | undefined> {
  const planned: readonly GroupMember[] = [
    ...group.members,
    ...(group.survivor === undefined ? [] : [group.survivor]),
  ];
  const ids = planned.map(({ id }) => id);
  const read = await steps.run("READ", () => memories.reader.get(namespaceKey, ids, clock.now()));
  const records = read.flatMap((memory, index) =>
    memory !== undefined && memory.etag === planned[index]?.etag ? [recordOf(memory)] : [],
  );
  if (records.length < planned.length) return undefined;
  const members = records.slice(0, group.members.length);
  return { members, survivor: records[group.members.length] };
}

async function createdSummary(
  ports: CompactionPorts,
  { summary }: CompactionGroup,
  sources: readonly Memory[],
  now: number,
  steps: Steps,
): Promise<NewMemory | undefined> {
  if (summary === undefined) return undefined;
  const draft = summaryDraft(summary, sources);
  const [embedding = "PENDING"] = await embedForWrite(ports, [indexedText(draft)], steps.signal);
  const origin = {
    id: summary.id,
    createTime: now,
    updateTime: now,
    state: "ACTIVE" as const,
    supersededBy: "",
  };
  return { ...prepareMemory(draft, origin, ports.embedder, embedding), onDuplicate: "ALLOW" };
}

function countApplied({ metrics }: CompactionPorts, { action, reason, members }: CompactionGroup): void {
  const isSuperseded = action === "MERGE" || action === "SUPERSEDE";
  metrics.compactedMemories(isSuperseded ? "superseded" : "archived", reason, members.length);
  if (action === "SUMMARIZE") metrics.compactedMemories("created", reason, 1);
}
