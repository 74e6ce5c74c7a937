import { closeSync, openSync } from "node:fs";
import process from "node:process";
import { load } from "../config/load.ts";
import { reload } from "../config/reload.ts";
import { RecollectError } from "../domain/errors.ts";
import { configSources, type SourceOptions } from "./config-sources.ts";
import { UsageError } from "./usage-error.ts";

/** Starts the server and resolves when a signal has stopped it. Rejects when it cannot start. */
export async function serve(given: SourceOptions): Promise<void> {
  const options = configSources(given);
  let running = load(options);
  // Without a handler a SIGHUP would end the process; one during the start is handled after it.
  let early = false;
  let hangUp = (): void => {
    early = true;
  };
  process.on("SIGHUP", () => hangUp());

  // After the configuration, so that its errors are printed in half the time.
  const { createApp } = await import("../app/app.ts");
  await using app = createApp(running.config);
  try {
    await app.start();
  } catch (error) {
    // Errors that an operator can fix are one line; others keep their stack.
    const mendable =
      error instanceof RecollectError || (error instanceof Error && error.name === "BindError");
    throw mendable ? new UsageError(error.message) : error;
  }
  const stop = Promise.withResolvers<void>();
  process.once("SIGTERM", () => stop.resolve());
  process.once("SIGINT", () => stop.resolve());
  hangUp = () => {
    if (terminalIsGone()) return stop.resolve();
    const outcome = reload(running, options);
    if (outcome.kind === "applied") running = outcome.running;
    app.reload(outcome);
  };
  if (early) hangUp();
  await stop.promise;
}

/** A closed terminal sends SIGHUP too; the server then stops, because it can no longer be stopped by Ctrl-C. */
function terminalIsGone(): boolean {
  if (!process.stdout.isTTY) return false;
  try {
    closeSync(openSync("/dev/tty", "r"));
    return false;
  } catch {
    return true;
  }
}
