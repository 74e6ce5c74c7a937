import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { CompactionGroup } from "../../domain/compaction/group.ts";
import { type CompactionRun, hasEnded } from "../../domain/compaction/run.ts";
import { beginApplying, withoutPlan, withPlan } from "../../domain/compaction/run-changes.ts";
import { RecollectError } from "../../domain/errors.ts";
import { LeaseLost } from "../../ports/compaction/compaction-store.ts";
import { applyRun } from "./apply-run.ts";
import { CancelRequested, HeldRun } from "./held-run.ts";
import { planRun } from "./plan-run.ts";
import { type CompactionPorts, planPorts } from "./ports.ts";
import { APPROVAL_MS } from "./settings.ts";
import { type Steps, stepsInBackground } from "./steps.ts";

/** Groups written at once. */
const GROUPS_A_WRITE = 100;

/** Errors that say nothing about the run: it is continued later, by any process. */
const TRANSIENT: ReadonlySet<string> = new Set(["STORE_UNAVAILABLE", "SERVER_OVERLOADED", "SERVER_STOPPING"]);

/**
 * Continues a run where it is: plans, applies, ends it. Does nothing when another process works on it. Rejects when it is to
 * be tried again: the store does not answer, or the signal aborts.
 */
export async function executeRun(
  ports: CompactionPorts,
  { namespaceKey, id }: { readonly namespaceKey: NamespaceKey; readonly id: string },
  owner: string,
  signal: AbortSignal,
): Promise<void> {
  const held = await HeldRun.claim(ports, namespaceKey, id, owner);
  if (held === undefined) return;
  try {
    await execute(ports, held, signal);
  } catch (error) {
    // Another process has taken over, or the run was deleted.
    if (error instanceof LeaseLost) return;
    if (signal.aborted || (error instanceof RecollectError && TRANSIENT.has(error.reason))) {
      await held
        .release()
        .catch(() => ports.log.warn({ id }, "a compaction could not be released: others wait for its lease"));
      throw error;
    }
    if (error instanceof CancelRequested) await held.end("CANCELLED");
    else await fail(ports, held, error);
  }
}

async function execute(ports: CompactionPorts, held: HeldRun, signal: AbortSignal): Promise<void> {
  if (hasEnded(held.run.state)) return held.release();
  if (held.run.cancelRequested) throw new CancelRequested();
  const { now } = ports.clock;
  if (held.run.state === "AWAITING_APPROVAL") {
    const { approvalExpireTime = 0 } = held.run;
    return approvalExpireTime <= now() ? held.end("CANCELLED") : held.release();
  }
  const steps = keeping(held, stepsInBackground(ports.work, held.namespaceKey.tenant, ports.sleep, signal));
  if (held.run.state === "PLANNING") {
    await plan(ports, held, steps);
    if (held.run.requiresApproval && held.run.groups > 0) {
      const approvalExpireTime = now() + APPROVAL_MS;
      await held.write({ ...held.run, state: "AWAITING_APPROVAL", approvalExpireTime });
      return;
    }
    await held.write(beginApplying(held.run));
  }
  await applyRun(ports, held, steps);
  await held.end("SUCCEEDED");
}

/** Plans and stores the plan, in the place of one that was begun before. */
async function plan(ports: CompactionPorts, held: HeldRun, steps: Steps): Promise<void> {
  const start = performance.now();
  const { namespaceKey } = held;
  let run: CompactionRun = withoutPlan(held.run);
  await held.write(run, { discardGroups: true });
  for await (const user of planRun(planPorts(ports), { namespaceKey, ...run }, steps)) {
    run = withPlan(held.run, user);
    const { groups } = user;
    for (let at = 0; at < groups.length || at === 0; at += GROUPS_A_WRITE) {
      const isLast = at + GROUPS_A_WRITE >= groups.length;
      // Until the last write the run does not count these groups.
      await held.write(isLast ? run : held.run, { groups: groups.slice(at, at + GROUPS_A_WRITE) });
    }
    countRefused(ports, groups);
  }
  ports.metrics.compactionPhase("plan", performance.now() - start);
}

function countRefused({ metrics }: CompactionPorts, groups: readonly CompactionGroup[]): void {
  for (const { action, reason, members } of groups) {
    if (action === "KEEP") metrics.compactedMemories("refused", reason, members.length);
  }
}

/** Steps that keep the lease, and end at a request to cancel. */
function keeping(held: HeldRun, steps: Steps): Steps {
  return {
    signal: steps.signal,
    run: async (kind, task) => {
      await held.keep();
      return steps.run(kind, task);
    },
  };
}

async function fail({ log }: CompactionPorts, held: HeldRun, cause: unknown): Promise<void> {
  log.warn({ err: cause, id: held.run.id }, "a compaction has failed: what it has applied can be undone");
  const error =
    cause instanceof RecollectError
      ? { reason: cause.reason, message: cause.message }
      : { reason: "INTERNAL" as const, message: "internal error" };
  await held.end("FAILED", error);
}
