import { closeSync, openSync } from "node:fs";
import process from "node:process";
import { createApp } from "../app/app.ts";
import { load } from "../config/load.ts";
import { reload } from "../config/reload.ts";
import { RecollectError } from "../domain/errors.ts";
import { configSources, type SourceOptions } from "./config-sources.ts";
import { UsageError } from "./usage-error.ts";

/** Starts the server and resolves when a signal has stopped it. Rejects when it cannot start. */
export async function serve(given: SourceOptions): Promise<void> {
  const options = configSources(given);
  let running = load(options);
  // Before it serves, a SIGHUP would end the process: what it asks for is done after the start.
  let early = false;
  let hangUp = (): void => {
    early = true;
  };
  process.on("SIGHUP", () => hangUp());

  await using app = createApp(running.config);
  try {
    await app.start();
  } catch (error) {
    // What the operator can mend is one line; anything else keeps its stack.
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

/** Closing a terminal sends SIGHUP too, and nobody is left to see or stop what was started in it. */
function terminalIsGone(): boolean {
  if (!process.stdout.isTTY) return false;
  try {
    closeSync(openSync("/dev/tty", "r"));
    return false;
  } catch {
    return true;
  }
}
