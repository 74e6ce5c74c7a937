import { HASHING_MODEL, LOCAL_MODEL } from "../embedding/built-in-models.ts";

/** For models without a measured threshold. */
const OTHER_MODELS = 0.85;

/**
 * The default of CACHE_SIMILARITY_THRESHOLD by model: the same cosine similarity means something else for each model.
 * docs/embedding.md says which were measured.
 */
const BY_MODEL: Readonly<Record<string, number>> = {
  [HASHING_MODEL.model]: 0.85,
  [LOCAL_MODEL.model]: 0.88,
  "all-minilm-l6-v2": 0.85,
  "all-minilm": 0.85,
  "text-embedding-ada-002": 0.95,
  "text-embedding-3-small": 0.88,
};

/** `identity` undefined: nothing is compared. A name may have a path before it, as in `sentence-transformers/`. */
export function defaultThreshold(identity: { readonly model: string } | undefined): number {
  const name = identity?.model.toLowerCase().split("/").at(-1) ?? "";
  return Object.hasOwn(BY_MODEL, name) ? (BY_MODEL[name] ?? OTHER_MODELS) : OTHER_MODELS;
}
