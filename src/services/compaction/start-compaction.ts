import { type NamespaceKey, namespaceKeyOf } from "../../domain/access/tenancy.ts";
import { effectivePolicy } from "../../domain/compaction/effective-policy.ts";
import type { CompactionGroup } from "../../domain/compaction/group.ts";
import type { CompactionPolicy, CompactionRun } from "../../domain/compaction/run.ts";
import { withPlan } from "../../domain/compaction/run-changes.ts";
import type { StoredRun } from "../../ports/compaction/compaction-store.ts";
import { type CallContext, idempotentRequest } from "../call.ts";
import { type GroupTexts, readTexts } from "./group-texts.ts";
import { planRun } from "./plan-run.ts";
import { type CompactionPorts, planPorts } from "./ports.ts";
import { stepsOfCall } from "./steps.ts";

export interface StartCompactionInput {
  readonly namespace: string;
  /** Empty: all. */
  readonly userId: string;
  /** What the request sets. */
  readonly overrides: Partial<CompactionPolicy>;
  readonly validateOnly: boolean;
  readonly requireApproval: boolean;
  readonly requestId?: string;
}

export interface StartedCompaction {
  readonly stored: StoredRun;
  /** With `validateOnly`: the first groups, with their texts. */
  readonly groups: readonly GroupTexts[];
  /** Whether the plan has more. */
  readonly truncated: boolean;
}

/** Of the groups in a response. */
export const MAX_GROUPS_BYTES = 3 * 1024 * 1024;

/**
 * Starts a run, which `continued` is told about; with `validateOnly` it plans in the call, within its deadline, and stores
 * nothing. Rejects with COMPACTION_RUNNING.
 */
export async function startCompaction(
  ports: CompactionPorts & { readonly continueRun: (namespaceKey: NamespaceKey, id: string) => void },
  input: StartCompactionInput,
  context: CallContext,
): Promise<StartedCompaction> {
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const own = await ports.store.policy(namespaceKey);
  const policy = effectivePolicy(input.overrides, own, ports.settings.policy);
  const now = ports.clock.now();
  const run = newRun(ports.ids.next(now), now, {
    policy,
    ...(input.userId === "" ? {} : { userId: input.userId }),
    requiresApproval: input.requireApproval,
  });
  if (input.validateOnly) return planOnly(ports, namespaceKey, run, context);
  const { requestId, ...body } = input;
  const request = idempotentRequest(context, "StartCompaction", requestId, body, now);
  const options = { now, ...(request === undefined ? {} : { request }) };
  const stored = await ports.store.start(namespaceKey, run, options);
  ports.continueRun(namespaceKey, stored.run.id);
  return { stored, groups: [], truncated: false };
}

/** A run that is to be planned. */
export function newRun(
  id: string,
  now: number,
  given: {
    readonly policy: CompactionPolicy;
    readonly userId?: string;
    readonly requiresApproval?: boolean;
    readonly scheduled?: boolean;
  },
): CompactionRun {
  const { requiresApproval = false, scheduled = false, ...rest } = given;
  return {
    id,
    ...rest,
    state: "PLANNING",
    createTime: now,
    ...{ requiresApproval, scheduled, cancelRequested: false },
    ...{ examined: 0, groups: 0, doneGroups: 0, droppedGroups: 0, undoneGroups: 0 },
    ...{ affected: 0, created: 0, counts: [], tokensBefore: 0, tokensAfter: 0 },
  };
}

async function planOnly(
  ports: CompactionPorts,
  namespaceKey: NamespaceKey,
  run: CompactionRun,
  context: CallContext,
): Promise<StartedCompaction> {
  let planned = run;
  const first: CompactionGroup[] = [];
  let bytes = 0;
  const steps = stepsOfCall(ports.work, namespaceKey.tenant, context);
  for await (const user of planRun(planPorts(ports), { namespaceKey, ...run }, steps)) {
    planned = withPlan(planned, user);
    for (const group of user.groups) {
      // A lower bound: texts of memories are added below.
      bytes += Buffer.byteLength(JSON.stringify(group));
      if (bytes <= MAX_GROUPS_BYTES) first.push(group);
    }
  }
  const groups = await readTexts(ports, namespaceKey, first, {
    shown: context.caller.roles.has("reader"),
    maxBytes: MAX_GROUPS_BYTES,
  });
  return { stored: { run: planned, version: 0 }, groups, truncated: groups.length < planned.groups };
}
