import type { Any } from "@bufbuild/protobuf/wkt";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { ConfigError } from "../config/config-error.ts";
import { formatDuration } from "./duration.ts";
import { toLine } from "./excerpt.ts";
import { UsageError } from "./usage-error.ts";

/** The status that the server gave one item of a batch. */
interface ItemStatus {
  readonly code: number;
  readonly message: string;
  readonly details: readonly Any[];
}

/**
 * Formats an error for the terminal: one line with message and reason, then one line for each invalid field. `address`
 * is that of the called server. Unexpected errors are bugs, and keep their stack.
 */
export function describeError(error: unknown, address: string): string[] {
  if (error instanceof ConnectError) return describeCallError(error, address);
  if (error instanceof UsageError) return [`recollect: ${error.message}`];
  if (error instanceof ConfigError) return error.problems.map((problem) => `recollect: ${problem}`);
  return [`recollect: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`];
}

/** The same for one item of a batch; `origin` says which one, and is empty when there is only one. */
export function describeItemError(status: ItemStatus, origin: string): string[] {
  const error = new ConnectError(status.message, status.code);
  error.details = status.details.map(({ typeUrl, value }) => ({
    type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
    value,
  }));
  // Batches are internal to the command, so the index in the batch is removed.
  return describeStatus(error, origin === "" ? "" : `${origin}: `).map((line) =>
    line.replaceAll(/\bmemories\[\d+\]\./g, ""),
  );
}

function describeCallError(error: ConnectError, address: string): string[] {
  const systemCode = systemCodeOf(error);
  if (systemCode === "ECONNREFUSED") {
    return [`recollect: no server at ${address}; start one with \`make run\``];
  }
  if (systemCode === "ENOTFOUND" || systemCode === "EAI_AGAIN") {
    return [`recollect: no server at ${address}; the host name cannot be resolved`];
  }
  const line = describeTlsError(systemCode ?? "", address);
  if (line !== undefined) return [`recollect: ${line}`];
  if (systemCode === "ERR_HTTP2_ERROR") {
    return [`recollect: ${address} does not speak gRPC; is it the HTTP port?`];
  }
  // The only symptom when a server closes the connection because of missing TLS or a rejected certificate.
  const hungUp = error.rawMessage.startsWith("http/2 stream closed with error code CANCEL");
  if (hungUp || systemCode === "ECONNRESET") {
    return [
      `recollect: ${address} closed the connection; if it uses TLS, the address needs https://, or it requires another certificate`,
    ];
  }
  return describeStatus(error, "");
}

/** The TLS problem, by the codes of OpenSSL and Node; undefined for other errors. */
function describeTlsError(code: string, address: string): string | undefined {
  if (UNTRUSTED.has(code)) {
    return `the certificate of ${address} is not signed by a trusted authority; set its authority with --tls-ca`;
  }
  if (code === "CERT_HAS_EXPIRED") return `the certificate of ${address} has expired`;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return `the certificate of ${address} is for another name`;
  if (!code.startsWith("ERR_SSL_")) return undefined;
  if (/WRONG_VERSION|PACKET_LENGTH/.test(code)) return `${address} does not speak TLS`;
  if (/NO_APPLICATION_PROTOCOL/.test(code)) return `${address} does not speak gRPC; is it the HTTP port?`;
  return /CERTIFICATE_REQUIRED/.test(code)
    ? `${address} requires a certificate: set --tls-cert and --tls-key`
    : `TLS with ${address} failed: ${code}`;
}

const UNTRUSTED: ReadonlySet<string> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

function describeStatus(error: ConnectError, prefix: string): string[] {
  const violations = error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations);
  const retries = error.findDetails(RetryInfoSchema).flatMap(({ retryDelay }) => retryDelay ?? []);
  const message = toLine(error.rawMessage);
  const reason = reasonOf(error);
  return [
    `recollect: ${prefix}${message} (${reason})`,
    ...(reason === "CREDENTIAL_INVALID" ? ["  set RECOLLECT_API_KEY, or give --api-key"] : []),
    ...violations
      .map(({ field, description }) => toLine(`${field}: ${description}`))
      // A single violation is already in the message.
      .filter((violation) => violation !== message)
      .map((violation) => `  ${violation}`),
    ...retries.map((delay) => `  try again in ${formatDuration(durationMs(delay))}`),
  ];
}

/** The reason from the server, or the status code when a proxy answered. */
export function reasonOf(error: ConnectError): string {
  const [info] = error.findDetails(ErrorInfoSchema);
  return info?.reason ?? Code[error.code].replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}

function systemCodeOf(error: Error): string | undefined {
  for (let cause: unknown = error, depth = 0; cause instanceof Error && depth < 8; depth += 1) {
    if ("code" in cause && typeof cause.code === "string") return cause.code;
    cause = cause.cause;
  }
  return undefined;
}
