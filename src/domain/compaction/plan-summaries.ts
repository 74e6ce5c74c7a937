import { MAX_TAGS } from "../memory/duplicate.ts";
import type { Memory } from "../memory/memory.ts";
import { completeLinkGroups } from "./linkage.ts";
import { MAX_SOURCES } from "./merge.ts";
import type { PlanInput } from "./plan.ts";
import type { PlannedGroup } from "./plan-types.ts";
import { partitionKey, protects, timeOf } from "./policy.ts";
import { extractSummary } from "./summary.ts";

/** Least sources of a summary: a summary of two saves little. */
const MIN_SOURCES = 3;
/** Most sources of a summary of one topic. */
const MAX_TOPIC = 24;
/** Most messages of a summary of a session. */
const MAX_MESSAGES = 48;
/** A summary has at most this share of the tokens of its sources; by its layer. */
const MAX_SHARE = [0.6, 0.3] as const;

interface SourceSet {
  readonly sources: readonly Memory[];
  readonly reason: "TOPIC" | "SESSION";
}

/**
 * Summaries until the scope has no more tokens than the budget, those of the lowest retention first. In the first layer they
 * have every fact of their sources. Only when all of these are not enough, the other sets get one of the second layer, which is
 * shorter and has the facts that two of their sources agree on. Sources are memories, never summaries that exist already, so
 * that nothing is summarised again without its own sources.
 */
export function planSummaries(rest: readonly Memory[], input: PlanInput): readonly PlannedGroup[] {
  const { policy, now, countTokens, retention } = input;
  let tokens = rest.reduce((sum, { text }) => sum + countTokens(text), 0);
  if (tokens <= policy.budgetTokens) return [];
  const free = rest.filter(
    (memory) => memory.kind !== "SUMMARY" && protects(memory, policy, now) === undefined,
  );
  const mean = ({ sources }: SourceSet): number =>
    sources.reduce((sum, memory) => sum + retention(memory), 0) / sources.length;
  const sets = [...sessionsOf(free), ...topicsOf(free, input)]
    .map((set) => ({ set, score: mean(set), id: set.sources[0]?.id ?? "" }))
    .sort((a, b) => a.score - b.score || (a.id < b.id ? -1 : 1));
  const found = new Map<SourceSet, PlannedGroup>();
  for (const layer of [0, 1] as const) {
    for (const { set } of sets) {
      if (tokens <= policy.budgetTokens) break;
      const group = found.has(set) ? undefined : summarize(set, layer, input);
      if (group === undefined) continue;
      found.set(set, group);
      tokens -= group.tokensBefore - group.tokensAfter;
    }
  }
  return [...found.values()];
}

/** Runs of messages of one session, speakers together, in the order of the session. */
function sessionsOf(free: readonly Memory[]): SourceSet[] {
  const messages = free.filter(({ kind, sessionId }) => kind === "MESSAGE" && sessionId !== "");
  const sessions = Map.groupBy(messages, (memory) => `${partitionKey(memory)} ${memory.sessionId}`);
  return [...sessions.values()].flatMap((session) => {
    const ordered = session.sort((a, b) => a.sessionPosition - b.sessionPosition || (a.id < b.id ? -1 : 1));
    return chunks(ordered, MAX_MESSAGES).map((sources) => ({ sources, reason: "SESSION" as const }));
  });
}

/** The last one may be shorter; too short ones are left out. */
function chunks(memories: readonly Memory[], size: number): (readonly Memory[])[] {
  const found: (readonly Memory[])[] = [];
  for (let from = 0; from < memories.length; from += size) found.push(memories.slice(from, from + size));
  return found.filter(({ length }) => length >= MIN_SOURCES);
}

/** Memories that are all alike, of one partition. */
function topicsOf(free: readonly Memory[], { pairs, thresholds }: PlanInput): SourceSet[] {
  if (thresholds === undefined) return [];
  const memories = free.filter(({ kind }) => kind !== "MESSAGE");
  const at = new Map(memories.map(({ id }, index) => [id, index]));
  const links = pairs.flatMap(({ one, other, similarity }) => {
    const [a, b] = [at.get(one), at.get(other)];
    const [left, right] = [memories[a ?? -1], memories[b ?? -1]];
    if (a === undefined || b === undefined || a === b || left === undefined || right === undefined) return [];
    if (similarity < thresholds.topic || partitionKey(left) !== partitionKey(right)) return [];
    return [{ one: Math.min(a, b), other: Math.max(a, b), similarity }];
  });
  return completeLinkGroups(links, MAX_TOPIC)
    .map((group) => group.flatMap((index) => memories[index] ?? []))
    .filter(({ length }) => length >= MIN_SOURCES)
    .map((sources) => ({
      sources: sources.sort((a, b) => timeOf(a) - timeOf(b) || (a.id < b.id ? -1 : 1)),
      reason: "TOPIC" as const,
    }));
}

function summarize({ sources, reason }: SourceSet, layer: 0 | 1, input: PlanInput): PlannedGroup | undefined {
  const { countTokens, lexicon } = input;
  const before = sources.reduce((sum, { text }) => sum + countTokens(text), 0);
  const limits = { maxTokens: Math.floor(before * MAX_SHARE[layer]), agreement: layer + 1 };
  const text = extractSummary(sources, limits, countTokens, lexicon);
  const [oldest] = sources;
  if (text === undefined || oldest === undefined) return undefined;
  const times = sources.flatMap(({ eventTime }) => eventTime ?? []);
  return {
    action: "SUMMARIZE",
    reason: "SUMMARIZED",
    members: sources.map(({ id, etag }) => ({ id, etag })),
    summary: {
      text,
      kind: "SUMMARY",
      userId: oldest.userId,
      agentId: oldest.agentId,
      sessionId: reason === "SESSION" ? oldest.sessionId : "",
      tags: [...new Set(sources.flatMap(({ tags }) => tags))].slice(0, MAX_TAGS),
      importance: Math.max(...sources.map(({ importance }) => importance)),
      sourceIds: sources.map(({ id }) => id).slice(0, MAX_SOURCES),
      ...(times.length === 0 ? {} : { eventTime: Math.max(...times) }),
    },
    similarity: 1,
    findings: [],
    tokensBefore: before,
    tokensAfter: countTokens(text),
  };
}
