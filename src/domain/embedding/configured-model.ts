import { type Identity, sameModel } from "./identity.ts";

/** The latest change of the model, as far as it says why another one is stored than is configured. */
interface Change {
  readonly source: Identity;
  readonly target: Identity;
  readonly state: "RUNNING" | "DONE" | "FAILED";
}

/**
 * Whether re-embeddings have led from the configured model to the stored one, or lead to it. Then the store is right, and
 * an unplanned restart must not be an outage, in the middle of a change or after several.
 */
export function isExplained(models: {
  readonly configured: Identity;
  readonly stored: Identity;
  /** What the last start was set to: whatever has changed since, changed by a call. */
  readonly before: Identity | undefined;
  readonly latest: Change | undefined;
}): boolean {
  const { configured, stored, before, latest } = models;
  if (before !== undefined && sameModel(before, configured)) return true;
  if (latest === undefined || latest.state === "FAILED") return false;
  if (latest.state === "RUNNING" && sameModel(latest.target, configured)) return true;
  return sameModel(latest.source, configured) && sameModel(latest.target, stored);
}

/** What the log says of an explained one. */
export function usedInstead(stored: Identity): string {
  return `the vectors are of another model by a re-embedding, and that one is used; set ${inSettings(stored)} to say so`;
}

/** Why a start is refused with any other. `vectors` and `elsewhere` name the store's vectors, and what to set for new ones. */
export function otherModel(
  { stored, configured }: { readonly stored: Identity; readonly configured: Identity },
  { vectors, elsewhere }: { readonly vectors: string; readonly elsewhere: string },
): string {
  return (
    `${vectors} were made by ${inSettings(stored)}, and this server is set to ${inSettings(configured)}. Vectors of two ` +
    "models cannot be compared. To change the model, start with the old settings, then call " +
    `OperationsService.StartReembedding with model ${configured.model} and dimension ${configured.dimension}. Or use ` +
    `another ${elsewhere}`
  );
}

function inSettings({ provider, model, dimension }: Identity): string {
  return provider === "hashing"
    ? `EMBEDDING_PROVIDER=hashing (${model}), VECTOR_DIM=${dimension}`
    : `EMBEDDING_PROVIDER=${provider}, EMBEDDING_MODEL=${model}, VECTOR_DIM=${dimension}`;
}
