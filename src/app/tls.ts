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

/** Certificates of files that are read again when one of them changes. */
export interface WatchedTls extends Tls, AsyncDisposable {
  /** Reads the files now; resolves when what they hold is in force, or refused. */
  reload(): Promise<void>;
}

/**
 * Opens the files of TLS_CERT_FILE, TLS_KEY_FILE and TLS_CLIENT_CA_FILE and watches them. Rejects with ConfigError when
 * they are wrong now; what is wrong later changes nothing, and the log and /ready say so. Expired is not wrong: a
 * restart must not turn a late renewal into an outage of clients that go on regardless.
 */
export async function openTls(
  paths: TlsFiles<string>,
  parts: {
    readonly log: OperatorLog;
    readonly metrics: TlsMetrics;
    readonly clock: Clock;
    /** How often the files are looked at when the system tells of no change. */
    readonly pollMs?: number;
  },
): Promise<WatchedTls> {
  const { log, metrics, clock, pollMs } = parts;
  const listeners: ((context: TlsContext) => void)[] = [];
  let current: TlsIdentity | undefined;
  /** What is wrong with the files as they are now. */
  let problems: readonly TlsRemark[] = [];
  let seen: readonly FileContent[] = [];
  let warned: readonly string[] = [];

  const take = (contents: readonly FileContent[]): void => {
    if (!isDeepStrictEqual(contents, seen)) {
      seen = contents;
      const [cert, key, clientCa] = contents;
      if (cert !== undefined && key !== undefined) apply(parseTls({ cert, key, clientCa }));
    }
    // Time passes without a change of any file.
    const remarks = current === undefined ? [] : ages(current);
    for (const remark of remarks) if (!warned.includes(remark)) log.warn({}, remark);
    warned = remarks;
  };
  const apply = (read: ReturnType<typeof parseTls>): void => {
    problems = read.problems;
    metrics.tlsFilesRefused(problems.length > 0);
    if (read.identity === undefined) {
      if (current !== undefined) log.error({ problems: tlsError(paths, problems).problems }, REFUSED);
      return;
    }
    if (isDeepStrictEqual(read.identity, current)) {
      log.info({}, "certificates as before: the files are right again");
      return;
    }
    current = read.identity;
    const context = toContext(current);
    for (const listener of listeners) listener(context);
    const expires = Math.min(...current.chain.map(({ validTo }) => validTo));
    metrics.tlsCertificateExpires(expires / 1000);
    log.info({ expires: new Date(expires).toISOString() }, "certificates read");
  };
  const ages = (identity: TlsIdentity): string[] =>
    lifetimeRemarks(identity, clock.now()).map(({ file, text }) => `${TLS_SETTINGS[file]}: ${text}`);

  const files = watchFiles(
    [paths.cert, paths.key, ...(paths.clientCa === undefined ? [] : [paths.clientCa])],
    take,
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
        : [
            "the files of TLS are wrong: the certificates that were read before still hold; the log says more",
          ]),
      ...ages(current ?? opened),
    ],
    reload: () => files.read(),
    [Symbol.asyncDispose]: () => files[Symbol.asyncDispose](),
  };
}

const REFUSED = "the files of TLS are wrong: the certificates that were read before still hold";

/** The certificates that the servers show and ask for; undefined without TLS. */
export async function openConfiguredTls(
  { tls: { certFile, keyFile, clientCaFile } }: Config,
  parts: Parameters<typeof openTls>[1],
  resources: AsyncDisposableStack,
): Promise<WatchedTls | undefined> {
  if (certFile === undefined && keyFile === undefined && clientCaFile === undefined) return undefined;
  // The configuration lets none of them through without the others; should it, nothing goes in the clear by mistake.
  if (certFile === undefined || keyFile === undefined) throw new TypeError("half of what TLS needs");
  return resources.use(await openTls({ cert: certFile, key: keyFile, clientCa: clientCaFile }, parts));
}
