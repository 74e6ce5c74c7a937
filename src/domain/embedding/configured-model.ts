import { HASHING_MODEL, isBuiltIn, LOCAL_MODEL } from "./built-in-models.ts";
import { type Identity, sameModel } from "./identity.ts";

/** The model that the settings ask for. */
export interface ConfiguredModel extends Identity {
  /** Nobody chose it: it is what comes without a choice. */
  readonly byDefault?: boolean;
}

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

/**
 * Whether a store that was made when the default was `hashing` keeps that: nobody asked for the model that is configured.
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

/** What the log says of a kept one. */
export function keptInstead(stored: Identity): string {
  return (
    `the vectors are of ${inSettings(stored)}, which finds wording only, and are kept; OperationsService.StartReembedding ` +
    `with model ${LOCAL_MODEL.model} changes them to the default, which finds meaning`
  );
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
  return isBuiltIn(provider)
    ? `EMBEDDING_PROVIDER=${provider} (${model}), VECTOR_DIM=${dimension}`
    : `EMBEDDING_PROVIDER=${provider}, EMBEDDING_MODEL=${model}, VECTOR_DIM=${dimension}`;
}
