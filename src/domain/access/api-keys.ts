import { hash, timingSafeEqual } from "node:crypto";
import { type Caller, ROLES, type Role } from "./tenancy.ts";

/** An API key, stored as its hash, so that a reader of the file cannot use it. */
export interface ApiKey {
  readonly sha256: Buffer;
  readonly caller: Caller;
}

/** One row of the keys' file, and the line where it begins. */
export interface KeyRow {
  readonly line: number;
  readonly value: unknown;
}

/** Tenants and namespaces have names of the same kind. */
const TENANT = /^[a-z0-9][a-z0-9._-]{0,62}$/;
/** As ids that a caller gives, and `@`, because principals are often e-mail addresses. */
const PRINCIPAL = /^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$/;
const SHA256 = /^[0-9a-f]{64}$/i;
const FIELDS: ReadonlySet<string> = new Set(["sha256", "tenant", "principal", "roles", "debug"]);

/**
 * The keys of these rows, or all errors. Error texts never quote a row: it may contain a key in the place of its hash.
 */
export function toApiKeys(rows: readonly KeyRow[]): {
  readonly keys: readonly ApiKey[];
  readonly problems: readonly string[];
} {
  const keys: ApiKey[] = [];
  const problems: string[] = [];
  const lineOf = new Map<string, number>();
  if (rows.length === 0) problems.push("contains no keys, so that all calls would be refused");
  for (const { line, value } of rows) {
    const row = readRow(value);
    problems.push(...row.problems.map((problem) => `line ${line}: ${problem}`));
    const earlier = lineOf.get(row.sha256);
    if (earlier !== undefined)
      problems.push(`line ${line}: sha256 repeats that of line ${earlier}: a key has one row`);
    else if (row.sha256 !== "") lineOf.set(row.sha256, line);
    if (row.caller !== undefined) keys.push({ sha256: Buffer.from(row.sha256, "hex"), caller: row.caller });
  }
  return problems.length === 0 ? { keys, problems } : { keys: [], problems };
}

interface ReadRow {
  readonly problems: readonly string[];
  /** Lower case; empty when there is none. */
  readonly sha256: string;
  /** Undefined when anything is wrong. */
  readonly caller: Caller | undefined;
}

function readRow(value: unknown): ReadRow {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    return { problems: ["must hold sha256, tenant, principal and roles"], sha256: "", caller: undefined };
  }
  const row: Readonly<Record<string, unknown>> = { ...value };
  const problems: string[] = [];
  if (Object.keys(row).some((field) => !FIELDS.has(field))) {
    problems.push(`has a field that is none of ${[...FIELDS].join(", ")}`);
  }
  const text = (field: string, pattern: RegExp, expected: string): string => {
    const given = row[field];
    if (typeof given === "string" && pattern.test(given)) return given;
    problems.push(`${field} must be ${expected}`);
    return "";
  };
  const sha256 = text("sha256", SHA256, "the SHA-256 of the key, 64 hexadecimal digits").toLowerCase();
  const tenant = text("tenant", TENANT, "1 to 63 lower-case letters, digits and . _ -");
  const principal = text("principal", PRINCIPAL, "1 to 128 letters, digits and . _ : @ -");
  const debug = row["debug"] === undefined ? "false" : text("debug", /^(true|false)$/, "true or false");
  const roles = row["roles"];
  if (!isRoles(roles)) problems.push(`roles must be a list of at least one of ${ROLES.join(", ")}`);
  const caller =
    problems.length > 0 || !isRoles(roles)
      ? undefined
      : { tenant, principal, roles: new Set(roles), debug: debug === "true" };
  return { problems, sha256, caller };
}

function isRoles(value: unknown): value is Role[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((role) => (ROLES as readonly unknown[]).includes(role))
  );
}

/** The hash of a key in the keys' file. A key is random and long, so that no slow hash is needed. */
export function hashOfKey(key: string): Buffer {
  return hash("sha256", key, "buffer");
}

/** The caller with this key. Compares all rows, each in constant time. */
export function callerOfKey(keys: readonly ApiKey[], key: string): Caller | undefined {
  const presented = hashOfKey(key);
  let found: Caller | undefined;
  for (const { sha256, caller } of keys) {
    if (timingSafeEqual(sha256, presented)) found = caller;
  }
  return found;
}
