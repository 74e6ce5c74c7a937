import type { Environment } from "../../src/config/sources.ts";

/**
 * The default embedder settings of tests: `hashing`, whose vectors are predictable and which opens immediately.
 * test/integration/local-embedder.test.ts starts without them.
 */
export function embedderSettings(env: Environment): Environment {
  const isNamed = ["EMBEDDING_PROVIDER", "EMBEDDING_API_KEY", "EMBEDDING_API_BASE"].some(
    (name) => name in env,
  );
  return isNamed ? {} : { EMBEDDING_PROVIDER: "hashing" };
}
