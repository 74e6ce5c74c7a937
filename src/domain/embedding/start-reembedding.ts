import { reembeddingConflict, requestIdReused } from "../errors.ts";
import { type Identity, sameModel } from "./identity.ts";

/** The fields of the latest re-embedding that decide whether another may start. */
export interface LatestReembedding {
  readonly id: string;
  readonly target: Identity;
  readonly state: "RUNNING" | "DONE" | "FAILED";
  /** The request that started it. */
  readonly request?: RequestIdentity;
}

export interface RequestIdentity {
  readonly key: string;
  readonly bodyHash: string;
}

/**
 * Checks whether a re-embedding may start. Returns the current model as its `source`; or `latest`, the answer when the
 * latest re-embedding runs to the same target or was started by this request. Throws REQUEST_ID_REUSED, and
 * REEMBEDDING_CONFLICT with the cause `running`, `unchanged` or `cleaning_up`.
 */
export function startReembedding<Latest extends LatestReembedding>(
  asked: { readonly target: Identity; readonly request: RequestIdentity | undefined },
  stored: {
    readonly latest: Latest | undefined;
    /** The model of the searched vectors; undefined: vector search is switched off. */
    readonly identity: Identity | undefined;
    /** Whether vectors of an earlier re-embedding are still being removed. */
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
