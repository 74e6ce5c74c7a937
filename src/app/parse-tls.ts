import { createSecureContext } from "node:tls";
import { ConfigError } from "../config/config-error.ts";
import {
  type TlsFiles,
  type TlsIdentity,
  type TlsRemark,
  type TlsText,
  toTlsIdentity,
} from "../domain/access/certificates.ts";
import type { TlsContext } from "../ports/tls.ts";

/** The text of a file, or the error of reading it. */
type Content = { readonly text: string } | { readonly error: unknown };

export const TLS_SETTINGS: Readonly<TlsFiles<string>> & { readonly clientCa: string } = {
  cert: "TLS_CERT_FILE",
  key: "TLS_KEY_FILE",
  clientCa: "TLS_CLIENT_CA_FILE",
};

interface ReadTls {
  /** Undefined when there are problems. */
  readonly identity: TlsIdentity | undefined;
  readonly problems: readonly TlsRemark[];
}

/** Parses the TLS files. Problems never quote the files. */
export function parseTls({ cert, key, clientCa }: TlsFiles<Content>): ReadTls {
  const read = toTlsIdentity({
    cert: textOf(cert),
    key: textOf(key),
    clientCa: clientCa === undefined ? undefined : textOf(clientCa),
  });
  if (read.identity === undefined) return read;
  try {
    createSecureContext(toContext(read.identity));
    return read;
  } catch (error) {
    // OpenSSL also refuses short keys and weak digests.
    return { identity: undefined, problems: [{ file: "cert", text: `cannot be used (${codeOf(error)})` }] };
  }
}

function textOf(content: Content): TlsText {
  return "text" in content ? content : { problem: `cannot be read (${codeOf(content.error)})` };
}

export function toContext({ chain, key, clientAuthorities }: TlsIdentity): TlsContext {
  return {
    cert: chain.map(({ pem }) => pem).join("\n"),
    key,
    ca: clientAuthorities?.map(({ pem }) => pem).join("\n"),
    minVersion: "TLSv1.2",
  };
}

/** The error that stops the start: one line for each problem, with setting and file. */
export function tlsError(paths: TlsFiles<string>, problems: readonly TlsRemark[]): ConfigError {
  return new ConfigError(
    problems.map(({ file, text }) => `${TLS_SETTINGS[file]}, ${paths[file] ?? ""}: ${text}`),
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}
