import { type NamespaceKey, namespaceKeyOf } from "../../domain/access/tenancy.ts";
import { type CompactionRun, hasEnded } from "../../domain/compaction/run.ts";
import { beginApplying, withEnd } from "../../domain/compaction/run-changes.ts";
import { runEtag } from "../../domain/compaction/run-etag.ts";
import { compactionChanged, RecollectError } from "../../domain/errors.ts";
import type { StoredRun } from "../../ports/compaction/compaction-store.ts";
import type { IdempotentRequest } from "../../ports/idempotency.ts";
import { type CallContext, idempotentRequest } from "../call.ts";
import { updateCurrent } from "../update-current.ts";
import { HeldRun } from "./held-run.ts";
import type { CompactionPorts } from "./ports.ts";
import { existingRun } from "./read-compactions.ts";

export interface DecidePorts
  extends Pick<CompactionPorts, "store" | "clock" | "settings" | "metrics" | "ids" | "sleep"> {
  /** Continues the run in the background. */
  readonly continueRun: (namespaceKey: NamespaceKey, id: string) => void;
}

/**
 * Approves the plan that was shown; it is applied in the background. Rejects with COMPACTION_NOT_FOUND, ETAG_MISMATCH,
 * COMPACTION_PLAN_EXPIRED or COMPACTION_NOT_AWAITING.
 */
export async function approveCompaction(
  ports: DecidePorts,
  input: {
    readonly namespace: string;
    readonly id: string;
    readonly etag: string;
    readonly requestId?: string;
  },
  context: CallContext,
): Promise<StoredRun> {
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const { requestId, ...body } = input;
  const now = ports.clock.now();
  const request = idempotentRequest(context, "ApproveCompaction", requestId, body, now);
  const stored = await existingRun(ports.store, namespaceKey, input.id);
  const refusal = approvalRefusal(stored, input.etag, now);
  if (refusal !== undefined) return replayed(ports, namespaceKey, stored, refusal, { now, request });
  const options = { now, ...(request === undefined ? {} : { request }) };
  const approved = await ports.store.replace(
    namespaceKey,
    stored.version,
    beginApplying(stored.run),
    options,
  );
  ports.continueRun(namespaceKey, input.id);
  return approved;
}

function approvalRefusal(stored: StoredRun, etag: string, now: number): RecollectError | undefined {
  const { id, state, approvalExpireTime = Number.POSITIVE_INFINITY } = stored.run;
  const isExpired = approvalExpireTime <= now && (state === "AWAITING_APPROVAL" || state === "CANCELLED");
  if (isExpired) {
    return new RecollectError("COMPACTION_PLAN_EXPIRED", `the plan of compaction ${id} has expired`, {
      metadata: { id },
      resource: { type: "compaction", name: id },
    });
  }
  if (state !== "AWAITING_APPROVAL") {
    return new RecollectError(
      "COMPACTION_NOT_AWAITING",
      `compaction ${id} is ${state}, not awaiting approval`,
      {
        metadata: { id, state },
        resource: { type: "compaction", name: id },
      },
    );
  }
  return etag === runEtag(stored) ? undefined : compactionChanged(id, runEtag(stored));
}

/**
 * Stops a run: a plan that awaits approval at once, others at the next safe point. Rejects with COMPACTION_NOT_FOUND or
 * COMPACTION_ENDED.
 */
export async function cancelCompaction(
  ports: DecidePorts,
  input: { readonly namespace: string; readonly id: string; readonly requestId?: string },
  context: CallContext,
): Promise<StoredRun> {
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const { requestId, ...body } = input;
  return updateCurrent("", async () => {
    const now = ports.clock.now();
    const request = idempotentRequest(context, "CancelCompaction", requestId, body, now);
    const stored = await existingRun(ports.store, namespaceKey, input.id);
    const options = { now, ...(request === undefined ? {} : { request }) };
    if (hasEnded(stored.run.state)) {
      return replayed(ports, namespaceKey, stored, hasEndedAlready(stored.run), { now, request });
    }
    if (stored.run.state === "AWAITING_APPROVAL")
      return endPlan(ports, namespaceKey, stored, options, context);
    const cancelled = { ...stored.run, cancelRequested: true };
    const replaced = await ports.store.replace(namespaceKey, stored.version, cancelled, options);
    ports.continueRun(namespaceKey, input.id);
    return replaced;
  });
}

/** Ends a plan that awaits approval; it keeps no text. */
async function endPlan(
  ports: DecidePorts,
  namespaceKey: NamespaceKey,
  { run: { id } }: StoredRun,
  options: { readonly now: number; readonly request?: IdempotentRequest },
  context: CallContext,
): Promise<StoredRun> {
  const held = await claimWaiting(ports, namespaceKey, id, context.signal);
  try {
    if (held.run.state !== "AWAITING_APPROVAL") throw compactionChanged(id, runEtag(held));
    await held.eraseTexts();
    const ended = withEnd({ ...held.run, cancelRequested: true }, "CANCELLED", {
      now: options.now,
      undoMs: 0,
    });
    const replaced = await ports.store.replace(namespaceKey, held.version, ended, options);
    ports.metrics.compactionEnded("CANCELLED", ended.tokensBefore, ended.tokensBefore);
    return replaced;
  } finally {
    await held.release();
  }
}

/** How often a lease that another call holds is tried. */
const TRY_MS = 50;

/** Claims a run once nobody else works on it. Rejects with COMPACTION_NOT_FOUND or the signal's reason. */
export async function claimWaiting(
  ports: Pick<DecidePorts, "store" | "clock" | "settings" | "metrics" | "ids" | "sleep">,
  namespaceKey: NamespaceKey,
  id: string,
  signal: AbortSignal,
): Promise<HeldRun> {
  const owner = ports.ids.next(ports.clock.now());
  let held = await HeldRun.claim(ports, namespaceKey, id, owner);
  while (held === undefined) {
    await existingRun(ports.store, namespaceKey, id);
    await ports.sleep(TRY_MS, signal);
    held = await HeldRun.claim(ports, namespaceKey, id, owner);
  }
  return held;
}

function hasEndedAlready({ id, state }: CompactionRun): RecollectError {
  return new RecollectError("COMPACTION_ENDED", `compaction ${id} has ended: ${state}`, {
    metadata: { id, state },
    resource: { type: "compaction", name: id },
  });
}

/** No run has this version: `replace` resolves only for a replay. */
const NO_VERSION = 0;

/** The run as it is now, when the request was completed before and would be refused now. Else rejects with the refusal. */
export async function replayed(
  { store }: Pick<CompactionPorts, "store">,
  namespaceKey: NamespaceKey,
  { run }: StoredRun,
  refusal: RecollectError,
  { now, request }: { readonly now: number; readonly request: IdempotentRequest | undefined },
): Promise<StoredRun> {
  if (request === undefined) throw refusal;
  try {
    return await store.replace(namespaceKey, NO_VERSION, run, { now, request });
  } catch (error) {
    throw error instanceof RecollectError && error.reason === "ETAG_MISMATCH" ? refusal : error;
  }
}
