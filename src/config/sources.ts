import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import type { Findings } from "./findings.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Variables of one source, without empty values, which count as unset. */
export interface Layer {
  /** Name in messages: `environment`. */
  readonly name: string;
  readonly values: Environment;
}

export function layerOf(name: string, values: Environment): Layer {
  return { name, values: Object.fromEntries(Object.entries(values).filter(([, value]) => value)) };
}

/** The variables of an .env file; none without the file. */
export function readEnvFile(path: string, findings: Findings): Environment {
  const content = readIfThere(path, findings);
  return content === undefined ? {} : parseEnv(content);
}

/** The content of a file; undefined when it is missing, or unreadable, which is reported as a problem. */
export function readIfThere(path: string, findings: Findings): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    findings.problems.push(
      `${path}: cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
    return undefined;
  }
}

/** The secret in a file, without a trailing line end. Undefined, and reported as a problem, when missing or empty. */
export function readSecret(variable: string, path: string, findings: Findings): string | undefined {
  const before = findings.problems.length;
  const secret = readIfThere(path, findings)?.replace(/[\r\n]+$/, "");
  if (secret) return secret;
  if (findings.problems.length === before) {
    const fault = secret === undefined ? "is not there" : "is empty";
    findings.problems.push(
      `${variable} is ${JSON.stringify(path)}: this file ${fault}; write the secret into it`,
    );
  }
  return undefined;
}
