import { namespaceKeyOf } from "../../domain/access/tenancy.ts";
import { effectivePolicy } from "../../domain/compaction/effective-policy.ts";
import type { CompactionPolicy } from "../../domain/compaction/run.ts";
import { compactionPolicyEtag, type NamespacePolicy } from "../../domain/compaction/stored-policy.ts";
import type { StoredCompactionPolicy } from "../../ports/compaction/compaction-store.ts";
import { type CallContext, idempotentRequest } from "../call.ts";
import { updateCurrent } from "../update-current.ts";
import type { CompactionPorts } from "./ports.ts";

type PolicyPorts = Pick<CompactionPorts, "store" | "settings" | "clock">;

/** The policy of a namespace, and what holds for its scheduled runs. */
export interface CompactionPolicies {
  /** What the namespace sets, with its etag. */
  readonly own: StoredCompactionPolicy;
  readonly effective: CompactionPolicy & { readonly scheduled: boolean };
}

export async function getCompactionPolicy(
  ports: PolicyPorts,
  { namespace }: { readonly namespace: string },
  context: CallContext,
): Promise<CompactionPolicies> {
  return policiesOf(ports, await ports.store.policy(namespaceKeyOf(context.caller, namespace)));
}

/**
 * Replaces the policy of a namespace: a field that is absent follows the server. With an etag only that version. Rejects with
 * ETAG_MISMATCH.
 */
export async function updateCompactionPolicy(
  ports: PolicyPorts,
  input: {
    readonly namespace: string;
    readonly policy: NamespacePolicy;
    /** Empty: any. */
    readonly etag: string;
    readonly requestId?: string;
  },
  context: CallContext,
): Promise<CompactionPolicies> {
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const { requestId, ...body } = input;
  return updateCurrent(input.etag, async () => {
    const now = ports.clock.now();
    const request = idempotentRequest(context, "UpdateCompactionPolicy", requestId, body, now);
    const current = await ports.store.policy(namespaceKey);
    const options = { now, ...(request === undefined ? {} : { request }) };
    const expected = expectedEtag(input.etag, current);
    return policiesOf(ports, await ports.store.replacePolicy(namespaceKey, expected, input.policy, options));
  });
}

/** The etag for the store, where a namespace without a policy has none; for callers it has that of an empty one. */
function expectedEtag(etag: string, current: StoredCompactionPolicy | undefined): string | undefined {
  if (etag === "") return current?.etag;
  return current === undefined && etag === NO_POLICY.etag ? undefined : etag;
}

const NO_POLICY: StoredCompactionPolicy = { etag: compactionPolicyEtag({}) };

function policiesOf({ settings }: PolicyPorts, own: StoredCompactionPolicy = NO_POLICY): CompactionPolicies {
  return {
    own,
    effective: {
      ...effectivePolicy({}, own, settings.policy),
      scheduled: settings.enabled && own.scheduled !== false,
    },
  };
}
