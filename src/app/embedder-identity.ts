import type { Config } from "../config/config.ts";
import { HASHING_MODEL, LOCAL_MODEL } from "../domain/embedding/built-in-models.ts";
import type { ConfiguredModel } from "../domain/embedding/configured-model.ts";

/** The configured embedding model; undefined when vector search is switched off. */
export function configuredIdentity({ vectorSearch, embedding }: Config): ConfiguredModel | undefined {
  if (!vectorSearch.enabled) return undefined;
  const { dimension } = vectorSearch;
  if (embedding.provider === "local") return { ...LOCAL_MODEL, byDefault: embedding.byDefault };
  if (embedding.provider === "hashing") return { ...HASHING_MODEL, dimension };
  return { provider: embedding.provider, model: embedding.model, dimension };
}
