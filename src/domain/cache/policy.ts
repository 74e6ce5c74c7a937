import { digest } from "../../lib/digest.ts";
import { canonicalJson } from "../../lib/json.ts";
import { guardTooLoose } from "../errors.ts";
import { compareStrictness, type GuardStrictness } from "./guard-strictness.ts";

/** How the cache of one namespace behaves, where that differs from the settings of the server. */
export interface CachePolicy {
  /** Absent: the server's CACHE_GUARD applies. */
  readonly guard?: GuardStrictness;
}

/** A policy as a store has it. */
export interface StoredCachePolicy extends CachePolicy {
  /** Milliseconds since the epoch; absent: it was never changed. */
  readonly updateTime?: number;
}

/** The policy of a namespace that does not exist, or whose policy was never changed. */
export const NO_CACHE_POLICY: StoredCachePolicy = {};

/** A hash of all that a policy holds. */
export function cachePolicyEtag({ guard, updateTime }: StoredCachePolicy): string {
  return digest(
    "cache-policy-1",
    canonicalJson({ guard: guard ?? null, updateTime: updateTime ?? null }),
  ).slice(0, 32);
}

/** The fields of a policy that may be changed. */
export type CachePolicyField = keyof CachePolicy;

/**
 * The policy with the named fields of `patch`; one that `patch` does not have is cleared. Its update time is `now`, and
 * always later than before, also when the clock has not advanced.
 */
export function withPolicyFields(
  current: StoredCachePolicy,
  fields: readonly CachePolicyField[],
  patch: CachePolicy,
  now: number,
): StoredCachePolicy {
  const { updateTime = Number.NEGATIVE_INFINITY, ...policy } = current;
  const guard = fields.includes("guard") ? patch.guard : policy.guard;
  return { ...(guard === undefined ? {} : { guard }), updateTime: Math.max(now, updateTime + 1) };
}

/**
 * The strictness of a lookup: that of the call, else that of its namespace, else that of the server. Throws GUARD_TOO_LOOSE
 * for a call that is looser than its namespace, or than the server where the namespace has none.
 */
export function strictnessOf(
  asked: GuardStrictness | undefined,
  policy: CachePolicy,
  server: GuardStrictness,
): GuardStrictness {
  const allowed = policy.guard ?? server;
  if (asked === undefined) return allowed;
  if (compareStrictness(asked, allowed) < 0) throw guardTooLoose(asked, allowed);
  return asked;
}
