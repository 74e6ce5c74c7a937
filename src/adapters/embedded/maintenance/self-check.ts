import { yieldToEventLoop } from "../../../lib/yield-to-event-loop.ts";
import type { OperatorLog } from "../../../ports/log.ts";
import type { StoreMetrics } from "../../../ports/metrics.ts";
import type { Damage } from "../database/damage.ts";
import type { Database } from "../database/database.ts";
import { type BackgroundCheck, checkInBackground } from "./background-check.ts";
import type { FileFindings } from "./file-check.ts";
import { rebuildKeywords, replaceIndex } from "./repair.ts";

/** While the file is checked, what is written collects in the log beside it: to this size, or the check is given up. */
const MAX_LOG_BYTES = 64 * 1024 * 1024;

const CANCELLED = "the check of the stored data was given up: too much is being written, or the disk is full";

export interface SelfCheck extends AsyncDisposable {
  /** Resolves when the check has ended, whatever came of it. */
  readonly finished: Promise<void>;
}

/**
 * Checks the whole file in the background: says what is damaged, and makes damaged indexes again where their tables
 * are whole. Reads and writes go on meanwhile.
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
    let tooMuch = false;
    const settled = database.holdStill(MAX_LOG_BYTES, () => {
      tooMuch = true;
      void running?.stop();
    });
    if (settled === undefined) {
      log.warn({}, "the stored data is not checked: what was written last cannot be moved into the file");
      return undefined;
    }
    try {
      running = checkInBackground(database.file);
      const findings = await running.findings;
      // The file may have changed before the process exited.
      if (!tooMuch) return findings;
      log.warn({}, CANCELLED);
      return undefined;
    } catch (error) {
      if (tooMuch) log.warn({}, CANCELLED);
      else if (!stopped) log.warn({ err: error }, "the stored data could not be checked");
      return undefined;
    } finally {
      running = undefined;
      if (!stopped) settled();
    }
  };

  const checkAndRepair = async (): Promise<void> => {
    const begin = performance.now();
    const findings = await check();
    if (findings === undefined || stopped) return;
    const repaired = await repair(findings, options, () => stopped);
    if (stopped) return;
    // Whether it is whole now is not for the repair to say.
    const after = isClean(findings) || repaired.length === 0 ? findings : await check();
    if (after === undefined || stopped) return;
    const remaining = [...after.damage, ...unrepaired(after)];
    damage.found({ damage: remaining }, repaired);
    metrics.storeRepaired(repaired.length);
    if (repaired.length > 0) log.error({ repaired }, "stored indexes were damaged and have been made again");
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

/** What the file's own check still finds in indexes is damage like any other. */
function unrepaired({ indexes, keywords }: FileFindings): FileFindings["damage"] {
  return [
    ...indexes.map((table) => ({ table, what: "this index is damaged" })),
    ...(keywords ? [{ table: "memory_terms", what: "the keyword index is damaged" }] : []),
  ];
}

/** One index at a time, with the event loop in between. Resolves with the names of the rebuilt ones. */
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
      log.error({ err: error, index: name }, "a damaged index could not be made again");
    }
  }
  return repaired;
}
