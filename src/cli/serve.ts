import { createApp } from "../app.ts";
import { loadConfig } from "../config/load.ts";
import { RecollectError } from "../domain/errors.ts";
import { UsageError } from "./usage-error.ts";

/** Starts the server and resolves when a signal has stopped it. Rejects when it cannot start. */
export async function serve(): Promise<void> {
  const config = loadConfig({ env: process.env, envFile: ".env", terminal: process.stdout.isTTY });
  await using app = createApp(config);
  try {
    await app.start();
  } catch (error) {
    // What the operator can mend is one line; anything else keeps its stack.
    const mendable =
      error instanceof RecollectError || (error instanceof Error && error.name === "BindError");
    throw mendable ? new UsageError(error.message) : error;
  }
  const signal = Promise.withResolvers<void>();
  process.once("SIGTERM", () => signal.resolve());
  process.once("SIGINT", () => signal.resolve());
  await signal.promise;
}
