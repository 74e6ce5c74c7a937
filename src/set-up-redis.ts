import type { Config } from "./config/config.ts";
import { configuredIdentity } from "./configured-identity.ts";
import { redisOptions } from "./open-backend.ts";

/** Makes the indexes of the Redis that is configured, and resolves with what is there. See adapters/redis/set-up.ts. */
export async function setUpRedis(
  config: Config,
  warn: (message: string) => void,
): Promise<readonly { readonly name: string; readonly documents: number }[]> {
  const { setUp } = await import("./adapters/redis/set-up.ts");
  const log = { warn: (_fields: object, message: string) => warn(message) };
  return setUp({ ...redisOptions(config), embedder: configuredIdentity(config), log });
}
