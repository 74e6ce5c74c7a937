import { createHashingEmbedder } from "../adapters/hashing/embedder.ts";
import type { Config } from "../config/config.ts";
import type { EmbedderIdentity } from "../ports/embedding/embedder.ts";

/** The configured embedding model; undefined when vector search is switched off. */
export function configuredIdentity({ vectorSearch, embedding }: Config): EmbedderIdentity | undefined {
  if (!vectorSearch.enabled) return undefined;
  const { dimension } = vectorSearch;
  if (embedding.provider === "hashing") return createHashingEmbedder(dimension).identity;
  return { provider: embedding.provider, model: embedding.model, dimension };
}
