import type { Config } from "../config/config.ts";
import { redisOptions } from "./backend.ts";
import { configuredIdentity } from "./embedder-identity.ts";

/** Makes the indexes of the Redis that is configured, and resolves with what is there. See adapters/redis/indexes/setup.ts. */
export async function setUpRedis(
  config: Config,
  warn: (message: string) => void,
): Promise<readonly { readonly name: string; readonly documents: number }[]> {
  const { setUp } = await import("../adapters/redis/indexes/setup.ts");
  const log = { warn: (_fields: object, message: string) => warn(message) };
  return setUp({ ...(await redisOptions(config)), embedder: configuredIdentity(config), log });
}
