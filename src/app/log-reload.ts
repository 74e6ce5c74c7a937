import type { Logger } from "pino";
import type { Reload } from "../config/reload.ts";

/** Sets the level of the log and says what a reload has led to, by name; warnings that were known are not repeated. */
export function logReload(log: Logger, reload: Reload, known: readonly string[]): void {
  if (reload.kind === "refused") {
    log.error({ problems: reload.problems }, "reload refused, nothing has changed");
    return;
  }
  const { running, changed, needRestart } = reload;
  const say = (): void => {
    log.info({ changed }, "reloaded");
    if (needRestart.length > 0)
      log.warn({ settings: needRestart }, "changed, but only a restart takes it up");
    for (const warning of running.config.warnings) if (!known.includes(warning)) log.warn(warning);
  };
  // At the more talkative of both levels, so that going quiet is still seen.
  const heard = log.isLevelEnabled("info");
  if (heard) say();
  log.level = running.config.log.level;
  if (!heard) say();
}
