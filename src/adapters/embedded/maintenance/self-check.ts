import { yieldToEventLoop } from "../../../lib/yield-to-event-loop.ts";
import type { OperatorLog } from "../../../ports/log.ts";
import type { StoreMetrics } from "../../../ports/metrics.ts";
import type { Damage } from "../database/damage.ts";
import type { Database } from "../database/database.ts";
import { type BackgroundCheck, checkInBackground } from "./background-check.ts";
import type { FileFindings } from "./file-check.ts";
import { rebuildKeywords, replaceIndex } from "./repair.ts";

/** Checkpoints are paused during the check; the check is cancelled when the WAL exceeds this size. */
const MAX_LOG_BYTES = 64 * 1024 * 1024;

const CANCELLED =
  "the check of the stored data was cancelled: too much is being written, or the disk is full";

export interface SelfCheck extends AsyncDisposable {
  /** Resolves when the check has finished or failed. */
  readonly finished: Promise<void>;
}

/**
 * Checks the whole file in the background: reports damage, and rebuilds damaged indexes of intact tables. Reads and
 * writes continue meanwhile.
 */
export function startSelfCheck(options: {
  readonly database: Database;
  readonly damage: Damage;
  readonly log: OperatorLog;
  readonly metrics: StoreMetrics;
}): SelfCheck {
  const { database, damage, log, metrics } = options;
  let running: BackgroundCheck | undefined;
  let stopped = false;

  const check = async (): Promise<FileFindings | undefined> => {
    let overflowed = false;
    const resumeCheckpoints = database.pauseCheckpoints(MAX_LOG_BYTES, () => {
      overflowed = true;
      void running?.stop();
    });
    if (resumeCheckpoints === undefined) {
      log.warn({}, "the stored data is not checked: the checkpoint of the WAL failed");
      return undefined;
    }
    try {
      running = checkInBackground(database.file);
      const findings = await running.findings;
      // The file may have changed before the process exited.
      if (!overflowed) return findings;
      log.warn({}, CANCELLED);
      return undefined;
    } catch (error) {
      if (overflowed) log.warn({}, CANCELLED);
      else if (!stopped) log.warn({ err: error }, "the stored data could not be checked");
      return undefined;
    } finally {
      running = undefined;
      if (!stopped) resumeCheckpoints();
    }
  };

  const checkAndRepair = async (): Promise<void> => {
    const begin = performance.now();
    const findings = await check();
    if (findings === undefined || stopped) return;
    const repaired = await repair(findings, options, () => stopped);
    if (stopped) return;
    // A second check verifies the repair.
    const after = isClean(findings) || repaired.length === 0 ? findings : await check();
    if (after === undefined || stopped) return;
    const remaining = [...after.damage, ...unrepaired(after)];
    damage.found({ damage: remaining }, repaired);
    metrics.storeRepaired(repaired.length);
    if (repaired.length > 0) log.error({ repaired }, "stored indexes were damaged and have been rebuilt");
    if (remaining.length > 0)
      log.error({ damage: damage.parts }, "stored data is damaged; the rest is served");
    log.debug(
      { milliseconds: Math.round(performance.now() - begin), damage: damage.parts },
      "stored data checked",
    );
  };

  const finished = checkAndRepair();
  return {
    finished,
    [Symbol.asyncDispose]: async () => {
      stopped = true;
      await running?.stop();
      await finished;
    },
  };
}

function isClean({ damage, indexes, keywords }: FileFindings): boolean {
  return damage.length === 0 && indexes.length === 0 && !keywords;
}

/** Index damage that the check still finds counts like damage of a table. */
function unrepaired({ indexes, keywords }: FileFindings): FileFindings["damage"] {
  return [
    ...indexes.map((table) => ({ table, what: "this index is damaged" })),
    ...(keywords ? [{ table: "memory_terms", what: "the keyword index is damaged" }] : []),
  ];
}

/** Rebuilds one index at a time and yields to the event loop in between. Resolves with the names of the rebuilt ones. */
async function repair(
  { indexes, keywords }: FileFindings,
  { database, log }: { readonly database: Database; readonly log: OperatorLog },
  stopped: () => boolean,
): Promise<string[]> {
  const repaired: string[] = [];
  const steps = [
    ...indexes.map((name) => ({ name, work: replaceIndex })),
    ...(keywords ? [{ name: "memory_terms", work: rebuildKeywords }] : []),
  ];
  for (const { name, work } of steps) {
    await yieldToEventLoop();
    if (stopped()) return repaired;
    try {
      database.maintain((sqlite) => work(sqlite, name));
      repaired.push(name);
    } catch (error) {
      log.error({ err: error, index: name }, "a damaged index could not be rebuilt");
    }
  }
  return repaired;
}
