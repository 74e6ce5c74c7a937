import type { CompactionPolicy } from "./run.ts";
import type { NamespacePolicy } from "./stored-policy.ts";

/** The complete policy of a run: what the request sets, then what the namespace sets, then the server. */
export function effectivePolicy(
  request: Partial<CompactionPolicy>,
  namespace: NamespacePolicy | undefined,
  server: CompactionPolicy,
): CompactionPolicy {
  const field = <K extends keyof CompactionPolicy>(name: K): CompactionPolicy[K] =>
    request[name] ?? namespace?.[name] ?? server[name];
  return {
    strategy: field("strategy"),
    level: field("level"),
    keepRecentMs: field("keepRecentMs"),
    keepImportantMs: field("keepImportantMs"),
    minImportance: field("minImportance"),
    maxAffectedFraction: field("maxAffectedFraction"),
  };
}
