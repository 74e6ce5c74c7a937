import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import { originOfSummary } from "../../domain/compaction/summary-draft.ts";
import { RecollectError } from "../../domain/errors.ts";
import { indexedText, type Memory, recordOf, type StoredMemory } from "../../domain/memory/memory.ts";
import { draftOf } from "../../domain/memory/update.ts";
import type { CompactionStore } from "../../ports/compaction/compaction-store.ts";
import type { Planner } from "../../ports/compaction/planner.ts";
import type { MemoryReader } from "../../ports/memory/reader.ts";
import type { MemoryWriter } from "../../ports/memory/writer.ts";
import { embedForWrite, type WriteEmbedder } from "../embedding/embed-for-write.ts";
import { prepareMemory } from "../memory/prepare-memory.ts";
import { updateCurrent } from "../update-current.ts";
import { HeldRun } from "./held-run.ts";
import type { CompactionPorts } from "./ports.ts";

export interface ErasePorts
  extends WriteEmbedder,
    Pick<CompactionPorts, "clock" | "ids" | "settings" | "metrics" | "log"> {
  readonly store: CompactionStore;
  readonly memories: {
    readonly reader: Pick<MemoryReader, "get">;
    readonly writer: Pick<MemoryWriter, "replace" | "delete">;
  };
  readonly planner: Pick<Planner, "extract">;
}

/** Makes a summary again before some of its sources are deleted. */
export type EraseFromSummary = (
  namespaceKey: NamespaceKey,
  summaryId: string,
  sourceIds: ReadonlySet<string>,
  signal: AbortSignal,
) => Promise<void>;

export function summaryEraser(ports: ErasePorts): EraseFromSummary {
  return (namespaceKey, summaryId, sourceIds, signal) =>
    eraseFromSummary(ports, namespaceKey, summaryId, sourceIds, signal);
}

/** Summaries of summaries are no deeper. */
const MAX_DEPTH = 8;

/** The id of the summary that was made of a memory; undefined: none was. */
export function summaryOfSource({
  state,
  supersededBy,
}: Pick<Memory, "state" | "supersededBy">): string | undefined {
  return state === "ARCHIVED" && originOfSummary(supersededBy) !== undefined ? supersededBy : undefined;
}

/**
 * Before sources of a summary are deleted: makes the summary again without them, as an extract, or deletes it when none is
 * left. So a crash in between leaves sources that are not in the summary, and never a summary of what was deleted; the
 * caller's retry completes it. Sources that have a summary of theirs summarised again are followed.
 */
async function eraseFromSummary(
  ports: ErasePorts,
  namespaceKey: NamespaceKey,
  summaryId: string,
  sourceIds: ReadonlySet<string>,
  signal: AbortSignal,
  depth = 0,
): Promise<void> {
  if (depth === MAX_DEPTH) return;
  const erased = await updateCurrent("", () => eraseOnce(ports, namespaceKey, summaryId, sourceIds, signal));
  if (erased === undefined) return;
  const above = summaryOfSource(erased.summary);
  if (above === undefined) return;
  const gone = erased.isDeleted ? new Set([summaryId]) : new Set<string>();
  await eraseFromSummary(ports, namespaceKey, above, gone, signal, depth + 1);
}

/** Undefined: there is no such summary. */
async function eraseOnce(
  ports: ErasePorts,
  namespaceKey: NamespaceKey,
  summaryId: string,
  sourceIds: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<{ readonly summary: StoredMemory; readonly isDeleted: boolean } | undefined> {
  const { memories, clock, planner } = ports;
  const now = clock.now();
  const [summary] = await memories.reader.get(namespaceKey, [summaryId], now);
  if (summary === undefined || summary.kind !== "SUMMARY") return undefined;
  const left = summary.sourceIds.filter((id) => !sourceIds.has(id));
  const sources = (await memories.reader.get(namespaceKey, left, now)).flatMap((memory) =>
    memory === undefined ? [] : [recordOf(memory)],
  );
  if (sources.length === 0) {
    await ignoringMissing(memories.writer.delete(namespaceKey, summaryId, { etag: summary.etag, now }));
    return { summary, isDeleted: true };
  }
  const text = await planner.extract(sources, signal);
  const draft = { ...draftOf(summary), text, sourceIds: sources.map(({ id }) => id) };
  const [embedding = "PENDING"] = await embedForWrite(ports, [indexedText(draft)], signal);
  const origin = {
    id: summaryId,
    createTime: summary.createTime,
    updateTime: Math.max(now, summary.updateTime + 1),
    state: summary.state,
    supersededBy: summary.supersededBy,
  };
  const replacement = prepareMemory(draft, origin, ports.embedder, embedding);
  await memories.writer.replace(namespaceKey, summary.etag, replacement, { now, forgets: true });
  await rememberEtag(ports, namespaceKey, summaryId, { from: summary.etag, to: replacement.memory.etag });
  return { summary, isDeleted: false };
}

async function ignoringMissing(deletion: Promise<void>): Promise<void> {
  try {
    await deletion;
  } catch (error) {
    if (!(error instanceof RecollectError) || error.reason !== "MEMORY_NOT_FOUND") throw error;
  }
}

/**
 * Lets a later undo of the run know that this version of the summary is still its own. Without it (the run is being worked on
 * by another process, or was removed) undo keeps the summary, as one that was edited.
 */
async function rememberEtag(
  ports: ErasePorts,
  namespaceKey: NamespaceKey,
  summaryId: string,
  etag: { readonly from: string; readonly to: string },
): Promise<void> {
  const origin = originOfSummary(summaryId);
  if (origin === undefined) return;
  const held = await HeldRun.claim(ports, namespaceKey, origin.runId, ports.ids.next(ports.clock.now()));
  if (held === undefined) return;
  try {
    const [group] = await ports.store.groups(namespaceKey, origin.runId, {
      after: origin.number - 1,
      limit: 1,
      maxBytes: 1,
    });
    if (group?.number !== origin.number || group.summary?.etag !== etag.from) return;
    await held.write(held.run, { groups: [{ ...group, summary: { ...group.summary, etag: etag.to } }] });
  } finally {
    await held.release();
  }
}
