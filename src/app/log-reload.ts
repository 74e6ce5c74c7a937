import type { Logger } from "pino";
import type { Reload } from "../config/reload.ts";

/** Sets the log level and logs the result of a reload, without the warnings that were logged before. */
export function logReload(log: Logger, reload: Reload, loggedWarnings: readonly string[]): void {
  if (reload.kind === "refused") {
    log.error({ problems: reload.problems }, "reload refused, nothing has changed");
    return;
  }
  const { running, changed, needRestart } = reload;
  const logResult = (): void => {
    log.info({ changed }, "reloaded");
    if (needRestart.length > 0)
      log.warn({ settings: needRestart }, "changed settings that require a restart");
    for (const warning of running.config.warnings) if (!loggedWarnings.includes(warning)) log.warn(warning);
  };
  // At the more verbose of both levels, so that a change to a less verbose level is logged too.
  const isLogged = log.isLevelEnabled("info");
  if (isLogged) logResult();
  log.level = running.config.log.level;
  if (!isLogged) logResult();
}
