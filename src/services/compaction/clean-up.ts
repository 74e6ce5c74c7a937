import type { CompactionGroup } from "../../domain/compaction/group.ts";
import type { EndedRun } from "../../ports/compaction/compaction-store.ts";
import { HeldRun } from "./held-run.ts";
import type { CompactionPorts } from "./ports.ts";
import { RETENTION_MS } from "./settings.ts";
import { type Steps, stepsInBackground } from "./steps.ts";

/** The last run whose memories were purged. */
export interface PurgePosition {
  readonly endTime: number;
  readonly id: string;
}

/** Runs handled at once. */
const BATCH = 100;
/** Memories deleted at once. */
const DELETED_AT_ONCE = 50;

/**
 * Deletes what ended runs have removed from default reads, when that is switched on and long enough ago, then the runs that
 * are old enough. `purged` is the result of the call before: those runs are not looked at again.
 */
export async function cleanUp(
  ports: CompactionPorts,
  purged: PurgePosition | undefined,
  signal: AbortSignal,
): Promise<PurgePosition | undefined> {
  const { settings } = ports;
  let position = purged;
  if (settings.purgeAfterMs !== undefined) {
    position = await forEachEnded(ports, settings.purgeAfterMs, position, signal, (run) =>
      purgeRun(ports, run, signal),
    );
  }
  // A run that is still needed for a purge is younger than that.
  const retention = Math.max(RETENTION_MS, settings.undoMs, settings.purgeAfterMs ?? 0);
  await forEachEnded(ports, retention, undefined, signal, async ({ namespaceKey, id }) => {
    await ports.store.remove(namespaceKey, [id]);
  });
  return position;
}

/** Calls `handle` for each run that ended so long ago, oldest first; resolves with the last one. */
async function forEachEnded(
  { store, clock }: CompactionPorts,
  ageMs: number,
  from: PurgePosition | undefined,
  signal: AbortSignal,
  handle: (run: EndedRun) => Promise<void>,
): Promise<PurgePosition | undefined> {
  const before = clock.now() - ageMs;
  let after = from;
  let count = BATCH;
  while (count === BATCH) {
    const position: { readonly after?: PurgePosition } = after === undefined ? {} : { after };
    const page = await store.ended({ ...position, before, limit: BATCH });
    for (const run of page) {
      signal.throwIfAborted();
      await handle(run);
      after = { endTime: run.endTime, id: run.id };
    }
    count = page.length;
  }
  return after;
}

/** Deletes the memories that a run has removed from default reads and that nothing has changed since. */
async function purgeRun(
  ports: CompactionPorts,
  { namespaceKey, id }: EndedRun,
  signal: AbortSignal,
): Promise<void> {
  const held = await HeldRun.claim(ports, namespaceKey, id, ports.ids.next(ports.clock.now()));
  // It is being undone: then nothing of it is left to purge, or the next start of a server finds it.
  if (held === undefined) return;
  const steps = stepsInBackground(ports.work, namespaceKey.tenant, ports.sleep, signal);
  try {
    for await (const group of held.groups()) {
      await held.keep();
      if (group.state === "APPLIED") await purgeGroup(ports, held, group, steps);
    }
  } finally {
    await held.release();
  }
}

async function purgeGroup(
  { memories, clock, metrics }: CompactionPorts,
  held: HeldRun,
  { members, journal = [], reason }: CompactionGroup,
  steps: Steps,
): Promise<void> {
  const left = new Set(members.map(({ id }) => id));
  const entries = journal.filter(({ id, undone }) => left.has(id) && undone !== true);
  for (let at = 0; at < entries.length; at += DELETED_AT_ONCE) {
    const part = entries.slice(at, at + DELETED_AT_ONCE);
    const ids = part.map(({ id }) => id);
    const read = await steps.run("READ", () => memories.reader.get(held.namespaceKey, ids, clock.now()));
    const expected = part.flatMap(({ id, etagAfter }, index) =>
      read[index]?.etag === etagAfter ? [{ id, etag: etagAfter }] : [],
    );
    if (expected.length === 0) continue;
    const remove = expected.map(({ id }) => id);
    const changed = await steps.run("WRITE", () =>
      held.write(held.run, { changes: { expected, put: [], create: [], remove } }),
    );
    // A memory that was changed in between stays; the others go with the next start of a server.
    if (changed.length === 0) metrics.compactedMemories("purged", reason, remove.length);
  }
}
