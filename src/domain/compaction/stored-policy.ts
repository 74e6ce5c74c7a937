import { digest } from "../../lib/digest.ts";
import { canonicalJson, type JsonObject } from "../../lib/json.ts";
import type { CompactionPolicy } from "./run.ts";

/** What a namespace sets of the policy of its runs; the rest follows the server. */
export type NamespacePolicy = Partial<CompactionPolicy> & {
  /** Whether the scheduler runs over the namespace. */
  readonly scheduled?: boolean;
};

/** The etag of a policy: a hash of all that is set. */
export function compactionPolicyEtag(policy: NamespacePolicy): string {
  const set = Object.entries(policy).filter(([, value]) => value !== undefined);
  return digest(canonicalJson(Object.fromEntries(set) as JsonObject)).slice(0, 32);
}
