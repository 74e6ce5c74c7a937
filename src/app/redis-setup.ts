import type { Config } from "../config/config.ts";
import { redisOptions } from "./backend.ts";
import { configuredIdentity } from "./embedder-identity.ts";

/** Creates the indexes of the configured Redis, and resolves with all indexes. See adapters/redis/indexes/setup.ts. */
export async function setUpRedis(
  config: Config,
  warn: (message: string) => void,
): Promise<readonly { readonly name: string; readonly documents: number }[]> {
  const { setUp } = await import("../adapters/redis/indexes/setup.ts");
  const log = { warn: (_fields: object, message: string) => warn(message) };
  return setUp({ ...(await redisOptions(config)), embedder: configuredIdentity(config), log });
}
