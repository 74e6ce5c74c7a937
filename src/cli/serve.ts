import { createApp } from "../app.ts";
import { loadConfig } from "../config/load.ts";

/** Starts the server and resolves when a signal has stopped it. Rejects when it cannot start. */
export async function serve(): Promise<void> {
  const config = loadConfig({ env: process.env, envFile: ".env", terminal: process.stdout.isTTY });
  const app = createApp(config);
  await app.start();
  const signal = Promise.withResolvers<void>();
  process.once("SIGTERM", () => signal.resolve());
  process.once("SIGINT", () => signal.resolve());
  await signal.promise;
  await app.stop();
}
