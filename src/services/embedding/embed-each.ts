import { type Refusal, refusalBy } from "../../domain/embedding/refusal.ts";
import { RecollectError } from "../../domain/errors.ts";
import type { EmbeddedText, Embedder } from "../../ports/embedding/embedder.ts";

/**
 * The vectors of some texts with urgency WRITE, in order, with one call of the embedder; a refusal in the place of a
 * text that the provider does not take. Only when there is such a one, each is asked for by itself, all in one turn: the
 * embedder makes batches of them, and has kept what it got for the others.
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
