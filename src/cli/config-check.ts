import { readFileSync } from "node:fs";
import { apiKeysError, parseApiKeys, unreadableApiKeys } from "../app/parse-api-keys.ts";
import { parseTls, tlsError } from "../app/parse-tls.ts";
import type { Config } from "../config/config.ts";
import { load } from "../config/load.ts";
import { notYet } from "../config/not-yet.ts";
import { nameOf } from "../config/setting.ts";
import { ALL_SETTINGS } from "../config/settings.ts";
import { configSources, type SourceOptions } from "./config-sources.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import { print, printError } from "./output.ts";

export interface CheckOptions extends SourceOptions {
  readonly json?: boolean;
}

/**
 * Prints the configuration that `serve` would start with: every setting with its source, secrets masked. Rejects with
 * all configuration errors.
 */
export function configCheck(options: CheckOptions): ExitCode {
  const { config, settings } = load(configSources(options));
  checkApiKeys(config.auth);
  checkTls(config.tls);
  const lines = ALL_SETTINGS.map(([key, setting]) => {
    const { shown = "", source = "", value } = settings.get(key) ?? {};
    const note = notYet(key, value) ? " (not in this version)" : "";
    // The parsed value: `warn` for WARNING.
    const resolved = setting.secret === undefined && /^(string|number|boolean)$/.test(typeof value);
    return { name: nameOf(setting), value: resolved ? String(value) : shown, source: `${source}${note}` };
  });
  if (options.json === true) for (const line of lines) print(JSON.stringify(line));
  else {
    const widest = (column: "name" | "value"): number =>
      Math.min(50, Math.max(...lines.map((line) => line[column].length)));
    const [names, values] = [widest("name"), widest("value")];
    for (const { name, value, source } of lines) {
      print(`${name.padEnd(names)}  ${value.padEnd(values)}  ${source}`);
    }
  }
  for (const warning of config.warnings) printError(`recollect: warning: ${warning}`);
  return EXIT_CODE.ok;
}

/** Checks the files that a start reads in addition to the configuration. */
function checkApiKeys({ mode, apiKeysFile }: Config["auth"]): void {
  if (mode !== "api_keys" || apiKeysFile === undefined) return;
  const { problems } = readApiKeys(apiKeysFile);
  if (problems.length > 0) throw apiKeysError(apiKeysFile, problems);
}

function checkTls({ certFile, keyFile, clientCaFile }: Config["tls"]): void {
  if (certFile === undefined || keyFile === undefined) return;
  const { problems } = parseTls({
    cert: read(certFile),
    key: read(keyFile),
    clientCa: clientCaFile === undefined ? undefined : read(clientCaFile),
  });
  if (problems.length > 0) throw tlsError({ cert: certFile, key: keyFile, clientCa: clientCaFile }, problems);
}

function read(path: string): Parameters<typeof parseTls>[0]["cert"] {
  try {
    return { text: readFileSync(path, "utf8") };
  } catch (error) {
    return { error };
  }
}

function readApiKeys(path: string): ReturnType<typeof parseApiKeys> {
  try {
    return parseApiKeys(readFileSync(path, "utf8"));
  } catch (error) {
    return unreadableApiKeys(error);
  }
}
