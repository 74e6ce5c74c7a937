import { effectivePolicy } from "../../domain/compaction/effective-policy.ts";
import { RecollectError } from "../../domain/errors.ts";
import type { ChangedScope } from "../../ports/compaction/compaction-store.ts";
import { cleanUp, type PurgePosition } from "./clean-up.ts";
import type { CompactionPorts } from "./ports.ts";
import { newRun } from "./start-compaction.ts";
import type { CompactionWorker } from "./worker.ts";

export interface SchedulerPorts extends CompactionPorts {
  readonly worker: Pick<CompactionWorker, "continueRun" | "waiting">;
  /** 0 to below 1. */
  readonly random: () => number;
}

/** How often the scheduler looks for what is due: between half of it and one and a half, so that replicas do not meet. */
const TICK_MS = 60_000;
/** Runs that it starts ahead of the worker. */
const AHEAD = 20;

/**
 * Starts a run of each scope that has changed and is due, and cleans up: on every server, where one of them takes each scope.
 * Without `settings.enabled` it only cleans up. Disposing stops it.
 */
export class CompactionScheduler implements AsyncDisposable {
  readonly #ports: SchedulerPorts;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;

  constructor(ports: SchedulerPorts) {
    this.#ports = ports;
    this.#running = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { sleep, random, log } = this.#ports;
    const { signal } = this.#stopping;
    let purged: PurgePosition | undefined;
    while (!signal.aborted) {
      // Rejects when the server stops, which ends the loop.
      await sleep(TICK_MS * (0.5 + random()), signal).catch(() => undefined);
      if (signal.aborted) return;
      try {
        if (this.#ports.settings.enabled) await startDueRuns(this.#ports);
        purged = await cleanUp(this.#ports, purged, signal);
      } catch (error) {
        if (!signal.aborted)
          log.warn({ err: error }, "the schedule of compactions failed: it is tried again");
      }
    }
  }
}

/** Starts runs of the scopes that are due, as many as the worker has room for. */
export async function startDueRuns(ports: SchedulerPorts): Promise<void> {
  const { store, clock, settings, worker } = ports;
  const limit = AHEAD - worker.waiting;
  if (limit <= 0) return;
  const due = await store.changedScopes({
    since: clock.now() - settings.checkIntervalMs,
    changes: settings.maxChanges,
    limit,
  });
  for (const scope of due) await startScheduled(ports, scope);
}

/**
 * Whoever takes the scope starts its run. Where that is not possible, because a run that somebody has started is under way or
 * the schedule is off here, the scope becomes due again after its next change.
 */
async function startScheduled(ports: SchedulerPorts, scope: ChangedScope): Promise<void> {
  const { store, clock, ids, settings, worker } = ports;
  const { namespaceKey, userId } = scope;
  const own = await store.policy(namespaceKey);
  if (!(await store.takeScope(scope)) || own?.scheduled === false) return;
  const now = clock.now();
  const policy = effectivePolicy({}, own, settings.policy);
  const run = newRun(ids.next(now), now, { policy, userId, scheduled: true });
  try {
    await store.start(namespaceKey, run, { now });
    worker.continueRun(namespaceKey, run.id);
  } catch (error) {
    if (!(error instanceof RecollectError) || error.reason !== "COMPACTION_RUNNING") throw error;
  }
}
