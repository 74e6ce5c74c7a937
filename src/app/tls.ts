import { isDeepStrictEqual } from "node:util";
import { type FileContent, watchFiles } from "../adapters/system/watched-file.ts";
import type { Config } from "../config/config.ts";
import {
  lifetimeRemarks,
  type TlsFiles,
  type TlsIdentity,
  type TlsRemark,
} from "../domain/access/certificates.ts";
import type { Clock } from "../ports/clock.ts";
import type { OperatorLog } from "../ports/log.ts";
import type { TlsMetrics } from "../ports/metrics.ts";
import type { Tls, TlsContext } from "../ports/tls.ts";
import { parseTls, TLS_SETTINGS, tlsError, toContext } from "./parse-tls.ts";

/** Certificates of files that are reloaded when one of them changes. */
export interface WatchedTls extends Tls, AsyncDisposable {
  /** Reads the files now; resolves when their content is in use, or refused. */
  reload(): Promise<void>;
}

/**
 * Opens the files of TLS_CERT_FILE, TLS_KEY_FILE and TLS_CLIENT_CA_FILE and watches them. Rejects with ConfigError when
 * they are invalid; a later invalid version is not used, and the log and /ready report it. An expired certificate is
 * valid: a restart must not turn a late renewal into an outage for clients that accept it.
 */
async function openTls(
  paths: TlsFiles<string>,
  parts: {
    readonly log: OperatorLog;
    readonly metrics: TlsMetrics;
    readonly clock: Clock;
    /** See watchFile. */
    readonly pollMs?: number;
  },
): Promise<WatchedTls> {
  const { log, metrics, clock, pollMs } = parts;
  const listeners: ((context: TlsContext) => void)[] = [];
  let current: TlsIdentity | undefined;
  /** Errors of the current files. */
  let problems: readonly TlsRemark[] = [];
  let lastContents: readonly FileContent[] = [];
  let loggedWarnings: readonly string[] = [];

  const onContents = (contents: readonly FileContent[]): void => {
    if (!isDeepStrictEqual(contents, lastContents)) {
      lastContents = contents;
      const [cert, key, clientCa] = contents;
      if (cert !== undefined && key !== undefined) apply(parseTls({ cert, key, clientCa }));
    }
    // Also without a change of the files: certificates expire.
    const warnings = current === undefined ? [] : lifetimeWarnings(current);
    for (const warning of warnings) if (!loggedWarnings.includes(warning)) log.warn({}, warning);
    loggedWarnings = warnings;
  };
  const apply = (read: ReturnType<typeof parseTls>): void => {
    problems = read.problems;
    metrics.tlsFilesRefused(problems.length > 0);
    if (read.identity === undefined) {
      if (current !== undefined) log.error({ problems: tlsError(paths, problems).problems }, REFUSED);
      return;
    }
    if (isDeepStrictEqual(read.identity, current)) {
      log.info({}, "certificates unchanged: the files are valid again");
      return;
    }
    current = read.identity;
    const context = toContext(current);
    for (const listener of listeners) listener(context);
    const expires = Math.min(...current.chain.map(({ validTo }) => validTo));
    metrics.tlsCertificateExpires(expires / 1000);
    log.info({ expires: new Date(expires).toISOString() }, "certificates read");
  };
  const lifetimeWarnings = (identity: TlsIdentity): string[] =>
    lifetimeRemarks(identity, clock.now()).map(({ file, text }) => `${TLS_SETTINGS[file]}: ${text}`);

  const files = watchFiles(
    [paths.cert, paths.key, ...(paths.clientCa === undefined ? [] : [paths.clientCa])],
    onContents,
    pollMs,
  );
  await files.read();
  if (current === undefined) {
    await files[Symbol.asyncDispose]();
    throw tlsError(paths, problems);
  }
  const opened: TlsIdentity = current;
  return {
    context: () => toContext(current ?? opened),
    onChange: (listener) => listeners.push(listener),
    warnings: () => [
      ...(problems.length === 0
        ? []
        : ["the TLS files are invalid: the previous certificates stay in use; see the log"]),
      ...lifetimeWarnings(current ?? opened),
    ],
    reload: () => files.read(),
    [Symbol.asyncDispose]: () => files[Symbol.asyncDispose](),
  };
}

const REFUSED = "the TLS files are invalid: the previous certificates stay in use";

/** Opens the certificates of the servers; undefined without TLS. */
export async function openConfiguredTls(
  { tls: { certFile, keyFile, clientCaFile } }: Config,
  parts: Parameters<typeof openTls>[1],
  resources: AsyncDisposableStack,
): Promise<WatchedTls | undefined> {
  if (certFile === undefined && keyFile === undefined && clientCaFile === undefined) return undefined;
  // The configuration rejects this before; checked again, so that no server runs without TLS by mistake.
  if (certFile === undefined || keyFile === undefined) throw new TypeError("TLS without certificate or key");
  return resources.use(await openTls({ cert: certFile, key: keyFile, clientCa: clientCaFile }, parts));
}
