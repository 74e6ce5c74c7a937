import type { OpenedEmbedder, SwitchedEmbedder } from "../../ports/embedding/switched-embedder.ts";

/** A SwitchedEmbedder that starts with this one. */
export function switched(first: OpenedEmbedder): SwitchedEmbedder {
  let current = first;
  return {
    get identity() {
      return current.identity;
    },
    status: () => current.status?.(),
    embed: async (texts, signal, urgency) => {
      const { identity } = current;
      const embedded = await current.embed(texts, signal, urgency);
      return embedded.map((one) => ({ ...one, identity }));
    },
    switchTo: (embedder) => {
      current = embedder;
    },
  };
}
