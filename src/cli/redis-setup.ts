import { setUpRedis } from "../app/redis-setup.ts";
import { load } from "../config/load.ts";
import { RecollectError } from "../domain/errors.ts";
import { configSources, type SourceOptions } from "./config-sources.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import { print, printError } from "./output.ts";
import { UsageError } from "./usage-error.ts";

export interface SetupOptions extends SourceOptions {
  readonly json?: boolean;
}

/** Creates the search indexes in the Redis of the server configuration, and prints them. */
export async function redisSetup(options: SetupOptions): Promise<ExitCode> {
  const { config } = load(configSources(options));
  if (config.backend !== "redis")
    throw new UsageError("MEMORY_BACKEND is not redis: there is nothing to set up");
  const indexes = await setUpRedis(config, (message) => printError(`recollect: warning: ${message}`)).catch(
    (error: unknown) => {
      throw error instanceof RecollectError ? new UsageError(error.message) : error;
    },
  );
  for (const { name, documents } of indexes) {
    print(options.json === true ? JSON.stringify({ name, documents }) : `${name}  ${documents} documents`);
  }
  return EXIT_CODE.ok;
}
