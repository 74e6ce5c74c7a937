import { namespaceKeyOf } from "../../domain/access/tenancy.ts";
import type { CompactionGroup } from "../../domain/compaction/group.ts";
import { type CompactionRun, hasEnded } from "../../domain/compaction/run.ts";
import { type UndoneGroup, undoGroup } from "../../domain/compaction/undo-group.ts";
import { memoryNotFound, RecollectError } from "../../domain/errors.ts";
import { type Memory, recordOf } from "../../domain/memory/memory.ts";
import type { StoredRun } from "../../ports/compaction/compaction-store.ts";
import { type CallContext, idempotentRequest } from "../call.ts";
import { claimWaiting, replayed } from "./decide-compaction.ts";
import type { HeldRun } from "./held-run.ts";
import type { CompactionPorts } from "./ports.ts";
import { existingRun } from "./read-compactions.ts";
import { type Steps, stepsOfCall } from "./steps.ts";

export type UndoPorts = Pick<
  CompactionPorts,
  "store" | "memories" | "clock" | "settings" | "metrics" | "ids" | "work" | "sleep"
>;

export interface UndoneCompaction {
  readonly stored: StoredRun;
  /** Ids of memories that were changed, deleted or have expired since: they stay as they are. */
  readonly conflictIds: readonly string[];
}

/** How often a group is undone again when one of its memories changes meanwhile. */
const MAX_ATTEMPTS = 5;

/**
 * Undoes a run, or what it did to one memory, group by group, each in one atomic step. A call that ends in between can be
 * repeated. Rejects with COMPACTION_NOT_FOUND, MEMORY_NOT_FOUND or COMPACTION_NOT_UNDOABLE.
 */
export async function undoCompaction(
  ports: UndoPorts,
  input: {
    readonly namespace: string;
    readonly id: string;
    /** Empty: the whole run. */
    readonly memoryId: string;
    readonly requestId?: string;
  },
  context: CallContext,
): Promise<UndoneCompaction> {
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const { requestId, ...body } = input;
  const now = ports.clock.now();
  const request = idempotentRequest(context, "UndoCompaction", requestId, body, now);
  const { run: found } = await existingRun(ports.store, namespaceKey, input.id);
  if (!hasEnded(found.state)) throw notUndoable(input.id, "running");
  const held = await claimWaiting(ports, namespaceKey, input.id, context.signal);
  try {
    const refusal = refusalOf(held.run, now);
    if (refusal !== undefined) return await replay(ports, held, input.memoryId, refusal, { now, request });
    const start = performance.now();
    const steps = stepsOfCall(ports.work, namespaceKey.tenant, context);
    const conflictIds =
      input.memoryId === ""
        ? await undoAll(ports, held, steps)
        : await undoOne(ports, held, input.memoryId, steps, { now, request });
    const { run } = held;
    const isUndone = run.undoneGroups >= run.doneGroups - run.droppedGroups - keptGroups(run);
    const undone: CompactionRun = isUndone ? { ...run, state: "UNDONE" } : run;
    const options = { now, ...(request === undefined ? {} : { request }) };
    const replaced = await ports.store.replace(namespaceKey, held.version, undone, options);
    if (isUndone) ports.metrics.compactionEnded("UNDONE", 0, 0);
    ports.metrics.compactionPhase("undo", performance.now() - start);
    return { stored: replaced, conflictIds };
  } finally {
    await held.release();
  }
}

function keptGroups({ counts }: CompactionRun): number {
  return counts.reduce((sum, { action, groups }) => sum + (action === "KEEP" ? groups : 0), 0);
}

function refusalOf(run: CompactionRun, now: number): RecollectError | undefined {
  if (run.state === "UNDONE" || run.undoExpireTime === undefined) return notUndoable(run.id, "nothing");
  return run.undoExpireTime <= now ? notUndoable(run.id, "expired") : undefined;
}

const WHY = {
  running: "it has not ended",
  nothing: "nothing is left to revert",
  expired: "it ended too long ago",
} as const;

function notUndoable(id: string, cause: keyof typeof WHY): RecollectError {
  return new RecollectError("COMPACTION_NOT_UNDOABLE", `compaction ${id} cannot be undone: ${WHY[cause]}`, {
    metadata: { id, cause },
    resource: { type: "compaction", name: id },
  });
}

/** A late retry of a call that has succeeded: the same answer, from the journal. */
async function replay(
  ports: UndoPorts,
  held: HeldRun,
  memoryId: string,
  refusal: RecollectError,
  options: Parameters<typeof replayed>[4],
): Promise<UndoneCompaction> {
  const current = await replayed(ports, held.namespaceKey, held, refusal, options);
  const conflictIds: string[] = [];
  for await (const { journal = [] } of held.groups()) {
    const left = journal.filter(({ id, undone }) => undone !== true && (memoryId === "" || id === memoryId));
    conflictIds.push(...left.map(({ id }) => id));
  }
  return { stored: current, conflictIds };
}

async function undoAll(ports: UndoPorts, held: HeldRun, steps: Steps): Promise<readonly string[]> {
  const conflictIds: string[] = [];
  for await (const group of held.groups()) {
    steps.signal.throwIfAborted();
    await held.keep();
    if (group.state === "APPLIED") conflictIds.push(...(await undo(ports, held, group, undefined, steps)));
    else if (group.state === "UNDONE") conflictIds.push(...leftIn(group));
  }
  return conflictIds;
}

/** What an earlier, interrupted undo could not revert. */
function leftIn({ journal = [] }: CompactionGroup): string[] {
  return journal.filter(({ undone }) => undone !== true).map(({ id }) => id);
}

async function undoOne(
  ports: UndoPorts,
  held: HeldRun,
  memoryId: string,
  steps: Steps,
  options: Parameters<typeof replayed>[4],
): Promise<readonly string[]> {
  for await (const group of held.groups()) {
    const entry = group.journal?.find(({ id }) => id === memoryId);
    if (entry === undefined) continue;
    if (group.state !== "APPLIED" || entry.undone === true) {
      await replayed(ports, held.namespaceKey, held, notUndoable(held.run.id, "nothing"), options);
      return entry.undone === true ? [] : [memoryId];
    }
    return undo(ports, held, group, memoryId, steps);
  }
  throw memoryNotFound(held.namespaceKey.namespace, memoryId);
}

/** Undoes one group; resolves with the ids of what stays as it is. */
async function undo(
  ports: UndoPorts,
  held: HeldRun,
  group: CompactionGroup,
  only: string | undefined,
  steps: Steps,
): Promise<readonly string[]> {
  for (let attempt = 1; attempt < MAX_ATTEMPTS; attempt += 1) {
    const undone = undoGroup(group, await currentOf(ports, held, group, steps), only);
    const { run } = held;
    const isOver = undone.group.state === "UNDONE";
    const next = isOver ? { ...run, undoneGroups: run.undoneGroups + 1 } : run;
    const changes = { expected: undone.expected, put: undone.put, create: [], remove: undone.remove };
    const changed = await steps.run("WRITE", () => held.write(next, { groups: [undone.group], changes }));
    if (changed.length === 0) {
      countRestored(ports, group, undone);
      return undone.conflictIds;
    }
  }
  throw new RecollectError("STORE_UNAVAILABLE", "the memories of a group change all the time", {
    retryAfterMs: 1000,
  });
}

async function currentOf(
  { memories, clock }: UndoPorts,
  { namespaceKey }: HeldRun,
  { journal = [], summary }: CompactionGroup,
  steps: Steps,
): Promise<ReadonlyMap<string, Memory>> {
  const ids = [...journal.map(({ id }) => id), ...(summary === undefined ? [] : [summary.id])];
  const read = await steps.run("READ", () => memories.reader.get(namespaceKey, ids, clock.now()));
  return new Map(read.flatMap((memory) => (memory === undefined ? [] : [[memory.id, recordOf(memory)]])));
}

function countRestored({ metrics }: UndoPorts, { reason }: CompactionGroup, { put }: UndoneGroup): void {
  metrics.compactedMemories("restored", reason, put.length);
}
