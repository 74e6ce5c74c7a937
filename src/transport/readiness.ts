import type { Config } from "../config/config.ts";
import type { ApiKeys } from "../ports/api-keys.ts";
import type { Backend } from "../ports/backend.ts";
import type { ObservedEmbedder } from "../ports/embedding/embedder-status.ts";
import type { Tls } from "../ports/tls.ts";

export type ServerState = "starting" | "serving" | "stopping";

/** The answer of /ready. */
export interface Readiness {
  readonly ready: boolean;
  /** Results by check: `server` has its state, `backend <name>` has `ok` or the error. */
  readonly checks: Readonly<Record<string, string>>;
  /** Problems that do not prevent readiness. */
  readonly warnings: readonly string[];
}

export interface ReadinessSources {
  readonly config: Config;
  readonly backend: Backend;
  /** Undefined: AUTH_MODE=none. */
  readonly apiKeys: ApiKeys | undefined;
  /** Undefined: without TLS. */
  readonly tls: Tls | undefined;
  /** Undefined when the embedder calls no provider. */
  readonly embedderStatus: () => ReturnType<ObservedEmbedder["status"]> | undefined;
  /** Where the guard of the cache is off. */
  readonly guards: { warnings(): readonly string[] };
}

/** Ready while the server serves and its backend answers. Problems of the embedding provider are warnings only. */
export async function readinessOf(state: ServerState, sources: ReadinessSources): Promise<Readiness> {
  const { config, backend, apiKeys, tls, embedderStatus, guards } = sources;
  const warnings = [
    ...configWarnings(config),
    ...(apiKeys?.warnings() ?? []),
    ...(tls?.warnings() ?? []),
    ...embedderWarnings(embedderStatus()),
    ...guards.warnings(),
  ];
  const checks: Record<string, string> = { server: state };
  try {
    await backend.check();
    checks[`backend ${backend.name}`] = "ok";
  } catch (error) {
    checks[`backend ${backend.name}`] = error instanceof Error ? error.message : "does not answer";
    return { ready: false, checks, warnings };
  }
  return {
    ready: state === "serving",
    checks,
    warnings: [...warnings, ...backend.risks(), ...backend.damage()],
  };
}

/** Warnings about the configuration, for the log of the start and for /ready. */
export function configWarnings(config: Config): string[] {
  const warnings: string[] = [...config.warnings];
  if (isOpenToEveryone(config)) {
    warnings.push("AUTH_MODE=none: every client that reaches this server can read and write all data");
  }
  if (config.vectorSearch.enabled && config.embedding.provider === "hashing") {
    warnings.push("the embedder is `hashing`: it compares words, not meanings");
  }
  return warnings;
}

/** Whether other machines may reach the server without a credential. */
export function isOpenToEveryone({ auth }: Config): boolean {
  return auth.mode === "none" && auth.allowUnauthenticated;
}

function embedderWarnings(status: ReturnType<ObservedEmbedder["status"]> | undefined): string[] {
  return Object.entries(status ?? {}).flatMap(([urgency, { state, since, lastFailure }]) =>
    state === "CLOSED"
      ? []
      : [
          `the circuit breaker of the embedding provider is not closed for each ${urgency.toLowerCase()}: ${state} since ` +
            `${new Date(since).toISOString()}, last failure ${lastFailure?.toLowerCase() ?? "unknown"}`,
        ],
  );
}
