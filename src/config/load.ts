import { isIP } from "node:net";
import {
  type Config,
  EMBEDDING_MAX_RETRIES,
  EMBEDDING_TIMEOUT_MS,
  LIMITS,
  LOOKUP_DEADLINE_MS,
} from "./config.ts";
import { ConfigError } from "./config-error.ts";
import { SETTINGS, type Setting, type Values } from "./settings.ts";
import { type Environment, type Found, readEnvFile, readYamlFile } from "./sources.ts";

export interface LoadOptions {
  /** Usually process.env. */
  readonly env: Environment;
  /** An .env file beside it; real variables win. Undefined: none is read. */
  readonly envFile?: string;
  /** Values by variable name that win over everything, such as command-line flags. */
  readonly flags?: Environment;
  /** Whether the log goes to a terminal. */
  readonly terminal?: boolean;
}

const DEFAULT_YAML = "config/memory_config.yaml";

/**
 * The configuration: flags over environment over .env over YAML over defaults. An empty value counts as unset, a
 * missing file is no error. Throws ConfigError with everything that is wrong, at once.
 */
export function loadConfig(options: LoadOptions): Config {
  const fromFile = options.envFile === undefined ? {} : readEnvFile(options.envFile);
  const environment: Environment = {
    ...withoutEmpty(fromFile),
    ...withoutEmpty(options.env),
    ...withoutEmpty(options.flags ?? {}),
  };
  const yamlPath = environment["RECOLLECT_CONFIG"] ?? DEFAULT_YAML;
  const yaml = readYamlFile(yamlPath, environment);

  const problems: string[] = [];
  const values = {} as Record<string, unknown>;
  for (const [name, setting] of Object.entries(SETTINGS) as [string, Setting<unknown>][]) {
    const found = find(setting, environment, yaml);
    if (found === undefined) {
      values[name] = setting.fallback;
      continue;
    }
    const parsed = setting.schema.safeParse(found.text);
    if (parsed.success) values[name] = parsed.data;
    else {
      const why = parsed.error.issues.map((issue) => issue.message).join("; ");
      problems.push(`${found.source} is ${JSON.stringify(found.text)}: ${why}`);
      // So that what follows can be checked too; nothing starts with it.
      values[name] = setting.fallback;
    }
  }
  const known = new Set(Object.values(SETTINGS).map((setting: Setting<unknown>) => setting.yaml));
  for (const [key, { source }] of yaml) {
    if (!known.has(key)) problems.push(`${source} is not a setting of this version`);
  }
  const config = assemble(values as Values, options.terminal ?? false);
  problems.push(...exposures(config));
  if (problems.length > 0) throw new ConfigError(problems);
  return freeze(config);
}

function find(
  setting: Setting<unknown>,
  environment: Environment,
  yaml: Map<string, Found>,
): Found | undefined {
  const text = setting.env === undefined ? undefined : environment[setting.env];
  if (text !== undefined && text !== "") return { text, source: `environment variable ${setting.env}` };
  const inFile = setting.yaml === undefined ? undefined : yaml.get(setting.yaml);
  return inFile?.text === "" ? undefined : inFile;
}

function assemble(values: Values, terminal: boolean): Config {
  const host = values.authMode === "none" ? "127.0.0.1" : "0.0.0.0";
  const grpc = { host: values.grpcHost ?? host, port: values.grpcPort };
  const http = { host: values.httpHost ?? host, port: values.httpPort };
  return {
    environment: values.environment,
    log: {
      level: values.logLevel,
      format: values.logFormat ?? (terminal ? "text" : "json"),
      file: values.logFile,
    },
    grpc,
    http: { ...http, corsOrigins: values.httpCorsOrigins },
    auth: { mode: values.authMode, allowUnauthenticated: values.allowUnauthenticated },
    backend: values.backend,
    dataDir: values.dataDir,
    vectorSearch: {
      enabled: values.vectorSearch,
      dimension: values.vectorDimension ?? (values.embeddingProvider === "openai" ? 1536 : 384),
    },
    embedding: {
      provider: values.embeddingProvider,
      model: values.embeddingModel,
      apiKey: values.embeddingApiKey ?? "",
      apiBase: values.embeddingApiBase,
      cacheTtlMs: values.embeddingCacheTtl * 1000,
      batchSize: values.embeddingBatchSize,
      maxRetries: EMBEDDING_MAX_RETRIES,
      timeoutMs: EMBEDDING_TIMEOUT_MS,
    },
    cache: {
      enabled: values.cacheEnabled,
      strategy: upper(values.cacheStrategy),
      similarityThreshold: values.cacheSimilarityThreshold,
      alignedThreshold: Math.min(values.cacheAlignedThreshold, values.cacheSimilarityThreshold),
      defaultTtlMs: values.cacheDefaultTtl * 1000,
      maxEntries: values.cacheMaxEntries,
      lookupDeadlineMs: LOOKUP_DEADLINE_MS,
    },
    limits: LIMITS,
  };
}

/** Doors that other machines would reach while everyone is let in, and nobody said that this is meant. */
function exposures({ auth, grpc, http }: Config): string[] {
  if (auth.mode !== "none" || auth.allowUnauthenticated) return [];
  return Object.entries({ GRPC_HOST: grpc.host, HTTP_HOST: http.host })
    .filter(([, host]) => !isLoopback(host))
    .map(
      ([name, host]) =>
        `${name} is ${JSON.stringify(host)}, which other machines reach, while AUTH_MODE=none lets everyone in: ` +
        "bind 127.0.0.1, or set ALLOW_UNAUTHENTICATED=true if that is meant",
    );
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

function upper<T extends string>(value: T): Uppercase<T> {
  return value.toUpperCase() as Uppercase<T>;
}

function withoutEmpty(environment: Environment): Environment {
  return Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""),
  );
}

function freeze<T extends object>(value: T): T {
  for (const child of Object.values(value)) {
    if (child !== null && typeof child === "object") freeze(child);
  }
  return Object.freeze(value);
}
