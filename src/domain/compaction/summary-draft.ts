import type { MemoryDraft } from "../memory/draft.ts";
import { MAX_TAGS } from "../memory/duplicate.ts";
import type { Memory } from "../memory/memory.ts";

/**
 * The memory of a summary: of the user and agent of its sources, and of their session if they have one in common; with their
 * tags, as far as there is room, their highest importance, and the time of the latest of them.
 */
export function summaryDraft(
  { id, text }: { readonly id: string; readonly text: string },
  sources: readonly Memory[],
): MemoryDraft {
  const [first] = sources;
  const sessions = new Set(sources.map(({ sessionId }) => sessionId));
  const times = sources.flatMap(({ eventTime }) => eventTime ?? []);
  return {
    id,
    text,
    kind: "SUMMARY",
    userId: first?.userId ?? "",
    agentId: first?.agentId ?? "",
    sessionId: sessions.size === 1 ? (first?.sessionId ?? "") : "",
    role: "",
    author: "",
    tags: [...new Set(sources.flatMap(({ tags }) => tags))].slice(0, MAX_TAGS),
    metadata: {},
    importance: Math.max(...sources.map(({ importance }) => importance)),
    pinned: false,
    ...(times.length === 0 ? {} : { eventTime: Math.max(...times) }),
    sourceIds: sources.map(({ id: sourceId }) => sourceId),
  };
}

/** The id of the summary that a group of a run creates: it says where it comes from. */
export function summaryId(runId: string, number: number): string {
  return `summary:${runId}:${number}`;
}

/** The run and the group that created a memory with this id; undefined: none did. */
export function originOfSummary(id: string): { readonly runId: string; readonly number: number } | undefined {
  const [, runId, number] = /^summary:(.+):(\d+)$/.exec(id) ?? [];
  return runId === undefined || number === undefined ? undefined : { runId, number: Number(number) };
}
