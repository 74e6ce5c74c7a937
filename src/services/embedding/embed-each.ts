import { type Refusal, refusalBy } from "../../domain/embedding/refusal.ts";
import { RecollectError } from "../../domain/errors.ts";
import type { EmbeddedText, Embedder } from "../../ports/embedding/embedder.ts";

/**
 * Embeds texts with urgency WRITE, in order, with one call of the embedder; the outcome of a text that the provider
 * refuses is a refusal. Only when there is one, the texts are embedded one by one, concurrently: the embedder batches
 * them, and has cached the vectors of the others.
 */
export async function embedEach(
  embedder: Embedder,
  texts: readonly string[],
  signal: AbortSignal,
): Promise<(EmbeddedText | Refusal)[]> {
  try {
    return await embedder.embed(texts, signal, "WRITE");
  } catch (error) {
    if (!(error instanceof RecollectError) || error.reason !== "EMBEDDER_REFUSED_TEXT") throw error;
    if (texts.length === 1) return [refusalBy(error)];
  }
  const each = await Promise.all(texts.map((text) => embedEach(embedder, [text], signal)));
  return each.flat();
}
