import { isIP } from "node:net";
import { DEFAULT_DIMENSIONS, LOWEST_DEFAULT_THRESHOLD, type Settled } from "./derive.ts";
import type { Findings } from "./findings.ts";
import type { ResolvedSettings } from "./resolve.ts";
import { nameOf } from "./setting.ts";
import { SETTINGS, type SettingKey } from "./settings.ts";

/** Checks one combination of settings. */
interface View extends Settled {
  /** `CACHE_STRATEGY is "semantic" (environment)`. */
  readonly say: (key: SettingKey) => string;
  readonly chosen: (key: SettingKey) => boolean;
}

/** The error and the remedy for individually valid settings; undefined when the combination is valid. */
type Rule = (view: View) => string | undefined;

/** Invalid combinations. */
export function checkCombinations(settings: ResolvedSettings, values: Settled, findings: Findings): void {
  const view: View = {
    ...values,
    say: (key) => describe(key, settings),
    chosen: (key) => settings.get(key)?.chosen === true,
  };
  const found = (rules: readonly Rule[]): string[] =>
    rules.map((rule) => rule(view)).filter((problem) => problem !== undefined);
  findings.problems.push(...found(IMPOSSIBLE));
  if (values.backend === "redis") findings.problems.push(...found(IMPOSSIBLE_WITH_REDIS));
  findings.warnings.push(...found(DOUBTFUL));
}

/** `NAME is "value" (source)`, the beginning of messages about a setting. */
export function describe(key: SettingKey, settings: ResolvedSettings): string {
  const { shown = "", source = "" } = settings.get(key) ?? {};
  return `${nameOf(SETTINGS[key])} is ${JSON.stringify(shown)} (${source})`;
}

const IMPOSSIBLE: readonly Rule[] = [
  exposed("grpcHost"),
  exposed("httpHost"),
  ({ grpcHost, grpcPort, httpHost, httpPort, say }) =>
    grpcPort !== 0 && grpcPort === httpPort && grpcHost === httpHost
      ? `${say("grpcPort")} and ${say("httpPort")}: two servers need two ports`
      : undefined,
  ({ authApiKeysFile, chosen, say }) =>
    authApiKeysFile !== undefined && !chosen("authMode")
      ? `${say("authApiKeysFile")}, but AUTH_MODE is not set, which lets everyone in: set AUTH_MODE=api_keys, or none`
      : undefined,
  ({ authMode, authApiKeysFile, say }) =>
    authMode === "api_keys" && authApiKeysFile === undefined
      ? `${say("authMode")}, but there are no keys: set AUTH_API_KEYS_FILE`
      : undefined,
  pair("tlsCertFile", "tlsKeyFile"),
  pair("tlsKeyFile", "tlsCertFile"),
  pair("tlsClientCaFile", "tlsCertFile"),
  pair("redisTlsCertFile", "redisTlsKeyFile"),
  pair("redisTlsKeyFile", "redisTlsCertFile"),
  ({ vectorSearch, cacheStrategy, cacheEnabled, say }) =>
    !vectorSearch && cacheEnabled && cacheStrategy === "semantic"
      ? `${say("cacheStrategy")}, but ${say("vectorSearch")}: set CACHE_STRATEGY=exact, or hybrid, or enable vector search`
      : undefined,
  ({ vectorSearch, embeddingProvider, chosen, say }) =>
    vectorSearch &&
    embeddingProvider === "openai" &&
    !chosen("embeddingApiKey") &&
    !chosen("embeddingApiBase")
      ? `${say("embeddingProvider")}, but there is no key: set EMBEDDING_API_KEY, or EMBEDDING_API_BASE of a server that needs none`
      : undefined,
  ({ vectorSearch, embeddingProvider, vectorDimension, say }) =>
    vectorSearch && embeddingProvider === "local" && vectorDimension !== DEFAULT_DIMENSIONS.local
      ? `${say("vectorDimension")}, but ${say("embeddingProvider")}, whose vectors have ${DEFAULT_DIMENSIONS.local} numbers: remove VECTOR_DIM, or set EMBEDDING_PROVIDER=hashing to keep that number`
      : undefined,
  ({ cacheAlignedThreshold, cacheSimilarityThreshold, say }) =>
    cacheAlignedThreshold > (cacheSimilarityThreshold ?? LOWEST_DEFAULT_THRESHOLD)
      ? `${say("cacheAlignedThreshold")}, but ${say("cacheSimilarityThreshold")}: the aligned one must not be higher`
      : undefined,
  ({ cacheDefaultTtl, cacheMaxAge, say }) =>
    cacheDefaultTtl > cacheMaxAge
      ? `${say("cacheDefaultTtl")}, but ${say("cacheMaxAge")}: nothing is served for longer than that; lower the TTL`
      : undefined,
  ({ compactionPurgeAfter, compactionUndoDays, say }) =>
    compactionPurgeAfter > 0 && compactionPurgeAfter < compactionUndoDays
      ? `${say("compactionPurgeAfter")}, but ${say("compactionUndoDays")}: what is deleted cannot be undone; raise the former, or set 0 for never`
      : undefined,
  ({ compactionLlmModel, compactionLlmApiKey, embeddingApiKey, chosen, say }) =>
    compactionLlmModel !== undefined &&
    (compactionLlmApiKey ?? embeddingApiKey) === undefined &&
    !chosen("compactionLlmApiBase") &&
    !chosen("embeddingApiBase")
      ? `${say("compactionLlmModel")}, but there is no key: set COMPACTION_LLM_API_KEY, or COMPACTION_LLM_API_BASE of a server that needs none`
      : undefined,
  ({ cacheIndexName, vectorIndexName, say }) =>
    cacheIndexName === vectorIndexName
      ? `${say("cacheIndexName")} and ${say("vectorIndexName")}: two indexes need two names`
      : undefined,
];

const IMPOSSIBLE_WITH_REDIS: readonly Rule[] = [
  ({ redisDb, redisUrl, say }) => {
    const inUrl = redisUrl?.db ?? redisDb;
    if (inUrl === 0) return undefined;
    const where = redisUrl?.db === undefined ? "redisDb" : "redisUrl";
    return `${say(where)}: must be database 0, because RediSearch indexes no other; separate deployments by REDIS_PREFIX and VECTOR_INDEX_NAME`;
  },
  ({ redisUrl, redisTls, chosen, say }) =>
    redisUrl?.tls === true && chosen("redisTls") && !redisTls
      ? `${say("redisUrl")}, which asks for TLS, but ${say("redisTls")}: remove one of them`
      : undefined,
  ({ redisUrl, redisTls, redisTlsCaFile, redisTlsCertFile, say }) =>
    !redisTls && redisUrl?.tls !== true && (redisTlsCaFile ?? redisTlsCertFile) !== undefined
      ? `${say(redisTlsCaFile === undefined ? "redisTlsCertFile" : "redisTlsCaFile")}, but ${say("redisTls")}: set REDIS_TLS=true`
      : undefined,
  ({ redisTopology, redisSentinelName, say }) => {
    if (redisTopology === "sentinel" && redisSentinelName === undefined) {
      return `${say("redisTopology")}, but it is not said which primary: set REDIS_SENTINEL_NAME`;
    }
    return redisSentinelName !== undefined && redisTopology !== "sentinel" && redisTopology !== "auto"
      ? `${say("redisSentinelName")}, but ${say("redisTopology")}: set REDIS_TOPOLOGY=sentinel, or remove the name`
      : undefined;
  },
  ({ redisTopology, redisNodes, say }) =>
    redisTopology === "standalone" && redisNodes.length > 1
      ? `${say("redisNodes")}, but ${say("redisTopology")}: one server is one node; set sentinel, cluster or auto`
      : undefined,
];

const DOUBTFUL: readonly Rule[] = [
  ({ authMode, authApiKeysFile, chosen, say }) =>
    authMode === "none" && chosen("authMode") && authApiKeysFile !== undefined
      ? `${say("authApiKeysFile")}, but ${say("authMode")}: the keys are not asked for`
      : undefined,
  ({ authMode, allowUnauthenticated, say }) =>
    authMode !== "none" && allowUnauthenticated
      ? `${say("allowUnauthenticated")}, but ${say("authMode")}: a credential is asked for all the same`
      : undefined,
  ({ embeddingProvider, embeddingApiKey, chosen }) =>
    embeddingProvider === "openai" && chosen("embeddingApiKey") && /^<?your[-_ ]/i.test(embeddingApiKey ?? "")
      ? "EMBEDDING_API_KEY looks like a placeholder: put the real key there"
      : undefined,
];

/** A public address without authentication and without ALLOW_UNAUTHENTICATED. */
function exposed(key: "grpcHost" | "httpHost"): Rule {
  return ({ authMode, allowUnauthenticated, [key]: host, say }) =>
    authMode !== "none" || allowUnauthenticated || isLoopback(host)
      ? undefined
      : `${say(key)}, which other machines reach, while AUTH_MODE=none lets everyone in: ` +
        "bind 127.0.0.1, or set ALLOW_UNAUTHENTICATED=true if that is meant";
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** A file setting that requires another one. */
function pair(given: SettingKey, needed: SettingKey): Rule {
  return (view) =>
    view[given] !== undefined && view[needed] === undefined
      ? `${view.say(given)}, but ${nameOf(SETTINGS[needed])} is not set: set both, or neither`
      : undefined;
}
