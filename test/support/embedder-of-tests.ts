import type { Environment } from "../../src/config/sources.ts";

/**
 * The settings of the embedder that tests have unless they name another: `hashing`, whose vectors can be foretold and
 * which takes no time to open. test/integration/local-embedder.test.ts starts without.
 */
export function embedderSettings(env: Environment): Environment {
  const isNamed = ["EMBEDDING_PROVIDER", "EMBEDDING_API_KEY", "EMBEDDING_API_BASE"].some(
    (name) => name in env,
  );
  return isNamed ? {} : { EMBEDDING_PROVIDER: "hashing" };
}
