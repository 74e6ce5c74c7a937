import { Memory_Kind as Kind } from "#gen/recollect/v1/memory_pb.js";
import type { Conversation } from "./data.ts";
import { type Ranking, type RetrievalFigures, retrievalFigures } from "./retrieval.ts";
import { openService } from "./service.ts";

const BATCH = 100;
/** Enough for recall at 20. With more than 50, more candidates would be ranked than for a usual page. */
const LIMIT = 20;

/**
 * Stores each conversation in a namespace of its own, as messages with speakers and sessions, and searches it for each
 * question, in a server with these variables and the defaults.
 */
export async function locomoThroughTheService(
  conversations: readonly Conversation[],
  settings: Readonly<Record<string, string>>,
): Promise<RetrievalFigures> {
  await using service = await openService(settings);
  const { memory } = service.clients;
  const rankings: Ranking[] = [];
  for (const [index, { turns, questions }] of conversations.entries()) {
    const namespace = `locomo-${index}`;
    for (let first = 0; first < turns.length; first += BATCH) {
      const memories = turns.slice(first, first + BATCH).map(({ id, session, speaker, text }) => ({
        id,
        kind: Kind.MESSAGE,
        sessionId: session,
        author: speaker,
        text,
      }));
      const { results } = await memory.batchCreateMemories({ namespace, memories });
      for (const { outcome } of results) {
        if (outcome.case !== "memory") throw new Error(`a turn was not stored: ${outcome.value?.message}`);
      }
    }
    for (const { text, evidence } of questions) {
      const { results } = await memory.searchMemories({
        namespace,
        query: { by: { case: "text", value: text } },
        limit: LIMIT,
      });
      rankings.push({ found: results.map((result) => result.memory?.id ?? ""), right: evidence });
    }
  }
  return retrievalFigures(rankings);
}
