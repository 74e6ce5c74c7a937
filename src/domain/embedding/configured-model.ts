import { HASHING_MODEL, isBuiltIn, LOCAL_MODEL } from "./built-in-models.ts";
import { type Identity, sameModel } from "./identity.ts";

/** The model in the settings. */
export interface ConfiguredModel extends Identity {
  /** It is the default: no setting selects a model. */
  readonly byDefault?: boolean;
}

/** The latest re-embedding: it may explain why the stored model is not the configured one. */
interface Change {
  readonly source: Identity;
  readonly target: Identity;
  readonly state: "RUNNING" | "DONE" | "FAILED";
}

/**
 * Whether completed or running re-embeddings explain that the stored model is not the configured one. The stored model is
 * then used, so that an unplanned restart during or after re-embeddings is not an outage.
 */
export function isExplained(models: {
  readonly configured: Identity;
  readonly stored: Identity;
  /** The configured model of the last start: later changes of the stored model were re-embeddings. */
  readonly before: Identity | undefined;
  readonly latest: Change | undefined;
}): boolean {
  const { configured, stored, before, latest } = models;
  if (before !== undefined && sameModel(before, configured)) return true;
  if (latest === undefined || latest.state === "FAILED") return false;
  if (latest.state === "RUNNING" && sameModel(latest.target, configured)) return true;
  return sameModel(latest.source, configured) && sameModel(latest.target, stored);
}

/**
 * Whether a store that was created when the default was `hashing` keeps that model: the configured one is only a default.
 */
export function isKept({
  configured,
  stored,
}: {
  readonly configured: ConfiguredModel;
  readonly stored: Identity;
}): boolean {
  return (
    configured.byDefault === true &&
    stored.provider === HASHING_MODEL.provider &&
    !sameModel(configured, stored)
  );
}

/** The log message when isKept. */
export function keptInstead(stored: Identity): string {
  return (
    `the vectors are of ${inSettings(stored)}, which finds wording only, and are kept; OperationsService.StartReembedding ` +
    `with model ${LOCAL_MODEL.model} changes them to the default, which finds meaning`
  );
}

/** The log message when isExplained. */
export function usedInstead(stored: Identity): string {
  return `the vectors are of another model by a re-embedding, and that one is used; set ${inSettings(stored)} to say so`;
}

/** The error of other mismatches. `vectors` and `elsewhere` name the store's vectors, and the setting for a new store. */
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
  return isBuiltIn(provider)
    ? `EMBEDDING_PROVIDER=${provider} (${model}), VECTOR_DIM=${dimension}`
    : `EMBEDDING_PROVIDER=${provider}, EMBEDDING_MODEL=${model}, VECTOR_DIM=${dimension}`;
}
