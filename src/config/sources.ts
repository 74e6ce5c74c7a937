import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import type { Findings } from "./findings.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Variables of one origin. Empty values are left out: they count as unset. */
export interface Layer {
  /** For messages: `environment`. */
  readonly name: string;
  readonly values: Environment;
}

export function layerOf(name: string, values: Environment): Layer {
  return { name, values: Object.fromEntries(Object.entries(values).filter(([, value]) => value)) };
}

/** The variables of an .env file; none when there is no such file. */
export function readEnvFile(path: string, findings: Findings): Environment {
  const content = readIfThere(path, findings);
  return content === undefined ? {} : parseEnv(content);
}

/** The content of a file; undefined when it is not there, or cannot be read, which is a problem. */
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

/** The secret in a file, without the line end that editors put there. Undefined, and a problem, when there is none. */
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
