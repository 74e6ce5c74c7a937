import { createApp } from "../app.ts";
import { type LoadOptions, load } from "../config/load.ts";
import { reload } from "../config/reload.ts";
import { RecollectError } from "../domain/errors.ts";
import { configSources, type SourceOptions } from "./config-sources.ts";
import { UsageError } from "./usage-error.ts";

/** Starts the server and resolves when a signal has stopped it. Rejects when it cannot start. */
export async function serve(given: SourceOptions): Promise<void> {
  const options: LoadOptions = configSources(given);
  let running = load(options);
  // Before it serves, a SIGHUP would end the process: what it asks for is done after the start.
  let hangUp = Promise.withResolvers<void>();
  process.on("SIGHUP", () => hangUp.resolve());

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
  const stopped = stop.promise.then(() => "stop" as const);
  while ((await Promise.race([stopped, hangUp.promise])) !== "stop") {
    hangUp = Promise.withResolvers<void>();
    const outcome = reload(running, options);
    if (outcome.kind === "applied") running = outcome.running;
    app.reload(outcome);
  }
}
