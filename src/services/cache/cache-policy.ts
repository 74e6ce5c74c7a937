import { namespaceKeyOf } from "../../domain/access/tenancy.ts";
import type { GuardStrictness } from "../../domain/cache/guard-strictness.ts";
import {
  type CachePolicy,
  type CachePolicyField,
  cachePolicyEtag,
  type StoredCachePolicy,
  strictnessOf,
  withPolicyFields,
} from "../../domain/cache/policy.ts";
import type { CachePolicyStore } from "../../ports/cache/policy-store.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Reloadable } from "../../ports/reloadable.ts";
import { type CallContext, idempotentRequest } from "../call.ts";
import { updateCurrent } from "../update-current.ts";
import type { CacheSettings } from "./cache-settings.ts";
import type { GuardWatch } from "./guard-watch.ts";

export interface CachePolicyPorts {
  readonly policies: CachePolicyStore;
  readonly guards: Pick<GuardWatch, "saw">;
  readonly settings: Reloadable<Pick<CacheSettings, "guard">>;
  readonly clock: Clock;
}

export interface UpdateCachePolicyInput {
  readonly namespace: string;
  /** Empty: any. */
  readonly etag: string;
  readonly patch: CachePolicy;
  readonly fields: readonly CachePolicyField[];
  readonly requestId?: string;
}

/** The policy of a namespace, and the strictness of its lookups that name none. */
export interface EffectivePolicy {
  readonly policy: StoredCachePolicy;
  readonly guard: GuardStrictness;
}

export async function getCachePolicy(
  ports: CachePolicyPorts,
  { namespace }: { readonly namespace: string },
  context: CallContext,
): Promise<EffectivePolicy> {
  const namespaceKey = namespaceKeyOf(context.caller, namespace);
  return seen(ports, namespaceKey, await ports.policies.get(namespaceKey));
}

/**
 * Updates fields of the policy of a namespace, which is created if it does not exist. With an etag it changes only that
 * version; without one it changes the current one, and retries after a concurrent update. Rejects with ETAG_MISMATCH.
 */
export async function updateCachePolicy(
  ports: CachePolicyPorts,
  input: UpdateCachePolicyInput,
  context: CallContext,
): Promise<EffectivePolicy> {
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const { requestId, ...body } = input;
  return updateCurrent(input.etag, async () => {
    const now = ports.clock.now();
    const request = idempotentRequest(context, "UpdateCachePolicy", requestId, body, now);
    const current = await ports.policies.get(namespaceKey);
    const policy = withPolicyFields(current, input.fields, input.patch, now);
    const expected = input.etag === "" ? cachePolicyEtag(current) : input.etag;
    const options = { now, ...(request === undefined ? {} : { request }) };
    return seen(ports, namespaceKey, await ports.policies.replace(namespaceKey, expected, policy, options));
  });
}

function seen(
  { guards, settings }: CachePolicyPorts,
  namespaceKey: ReturnType<typeof namespaceKeyOf>,
  policy: StoredCachePolicy,
): EffectivePolicy {
  guards.saw(namespaceKey, policy);
  return { policy, guard: strictnessOf(undefined, policy, settings().guard) };
}
