import { randomBytes } from "node:crypto";
import { readFileSync, realpathSync, renameSync, statSync, writeFileSync } from "node:fs";
import { parseApiKeys } from "../app/parse-api-keys.ts";
import { hashOfKey } from "../domain/access/api-keys.ts";
import type { Role } from "../domain/access/tenancy.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import type { GlobalOptions } from "./global-options.ts";
import { print, printError } from "./output.ts";
import { UsageError } from "./usage-error.ts";

export interface KeyCreateOptions extends GlobalOptions {
  readonly tenant: string;
  readonly principal: string;
  readonly role: readonly Role[];
  readonly debug?: boolean;
  readonly file?: string;
}

/** Prefix of keys, which identifies them for secret scanners. */
const PREFIX = "recollect_";
const RANDOM_BYTES = 32;

/** Creates a key and prints it; its row is added to the file, or printed too. */
export function keyCreate(options: KeyCreateOptions): ExitCode {
  const { tenant, principal, role, debug = false, file } = options;
  const key = `${PREFIX}${randomBytes(RANDOM_BYTES).toString("base64url")}`;
  const row = rowOf({
    sha256: hashOfKey(key).toString("hex"),
    tenant,
    principal,
    roles: new Set(role),
    debug,
  });
  const { problems } = parseApiKeys(row);
  if (problems.length > 0) {
    throw new UsageError(problems.map((problem) => problem.replace(/^line \d+: /, "")).join("; "));
  }
  if (file !== undefined) addRow(file, row);
  if (options.json) {
    print(JSON.stringify({ key, row }));
    return EXIT_CODE.ok;
  }
  print(key);
  if (file === undefined) for (const line of row.trimEnd().split("\n")) printError(line);
  else if (!options.quiet) printError(`its row is in ${file}`);
  return EXIT_CODE.ok;
}

function rowOf(key: {
  readonly sha256: string;
  readonly tenant: string;
  readonly principal: string;
  readonly roles: ReadonlySet<Role>;
  readonly debug: boolean;
}): string {
  // In quotes, because a principal may end with a colon.
  const lines = [
    `- sha256: ${key.sha256}`,
    `  tenant: ${JSON.stringify(key.tenant)}`,
    `  principal: ${JSON.stringify(key.principal)}`,
    `  roles: [${[...key.roles].join(", ")}]`,
    ...(key.debug ? ["  debug: true"] : []),
  ];
  return `${lines.join("\n")}\n`;
}

/** Replaces the file atomically, for servers that reload it. */
function addRow(file: string, row: string): void {
  const { path, text, mode } = existing(file);
  const whole = text === "" || text.endsWith("\n") ? text + row : `${text}\n${row}`;
  const { problems } = parseApiKeys(whole);
  if (problems.length > 0) {
    throw new UsageError(`no row can be added to ${file}: ${problems.join("; ")}`);
  }
  try {
    writeFileSync(`${path}.new`, whole, { mode });
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw new UsageError(`${file} cannot be written (${codeOf(error)})`);
  }
}

function existing(file: string): { readonly path: string; readonly text: string; readonly mode: number } {
  try {
    const path = realpathSync(file);
    return { path, text: readFileSync(path, "utf8"), mode: statSync(path).mode & 0o777 };
  } catch (error) {
    // Readable by its owner only: it holds no keys, but names principals and their roles.
    if (codeOf(error) === "ENOENT") return { path: file, text: "", mode: 0o600 };
    throw new UsageError(`${file} cannot be read (${codeOf(error)})`);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}
