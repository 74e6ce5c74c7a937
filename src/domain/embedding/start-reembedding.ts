import { reembeddingConflict, requestIdReused } from "../errors.ts";
import { type Identity, sameModel } from "./identity.ts";

/** The latest re-embedding, as far as the start of another goes by it. */
export interface LatestReembedding {
  readonly id: string;
  readonly target: Identity;
  readonly state: "RUNNING" | "DONE" | "FAILED";
  /** What started it. */
  readonly request?: RequestIdentity;
}

export interface RequestIdentity {
  readonly key: string;
  readonly bodyHash: string;
}

/**
 * Whether a re-embedding may start: the model that its vectors are of now, or the latest one when that is the answer,
 * because it runs to the same target or was started by this very request. Throws REQUEST_ID_REUSED, and
 * REEMBEDDING_CONFLICT with the cause `running`, `unchanged` or `cleaning_up`.
 */
export function startReembedding<Latest extends LatestReembedding>(
  asked: { readonly target: Identity; readonly request: RequestIdentity | undefined },
  stored: {
    readonly latest: Latest | undefined;
    /** Of the vectors that are searched; undefined: vector search is switched off. */
    readonly identity: Identity | undefined;
    /** Whether vectors of an earlier one are still being removed. */
    readonly isCleaningUp: boolean;
  },
): { readonly latest: Latest } | { readonly source: Identity } {
  const { target, request } = asked;
  const { latest, identity, isCleaningUp } = stored;
  if (latest?.request !== undefined && latest.request.key === request?.key) {
    if (latest.request.bodyHash === request.bodyHash) return { latest };
    throw requestIdReused();
  }
  if (latest?.state === "RUNNING") {
    if (sameModel(latest.target, target)) return { latest };
    throw reembeddingConflict(
      "running",
      `re-embedding ${latest.id} to another model is under way`,
      latest.id,
    );
  }
  if (identity === undefined || sameModel(identity, target)) {
    throw reembeddingConflict("unchanged", "the vectors are of this model and dimension already");
  }
  if (isCleaningUp) {
    throw reembeddingConflict("cleaning_up", "vectors of the re-embedding before are still being removed");
  }
  return { source: identity };
}
