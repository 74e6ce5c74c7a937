import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/** One certificate: its PEM text and its validity, in milliseconds since the epoch. */
export interface Certificate {
  readonly pem: string;
  readonly validFrom: number;
  readonly validTo: number;
}

/** The server's certificate and key, and the authorities of its clients. */
export interface TlsIdentity {
  /** The server's own certificate first, then its intermediates; never empty. */
  readonly chain: readonly Certificate[];
  /** Private key of the first certificate, PEM. */
  readonly key: string;
  /** Authorities that may sign client certificates; undefined: clients need no certificate. Never empty. */
  readonly clientAuthorities: readonly Certificate[] | undefined;
}

/** One value for each of the files of an identity. */
export interface TlsFiles<T> {
  readonly cert: T;
  readonly key: T;
  /** Undefined: clients need no certificate. */
  readonly clientCa: T | undefined;
}

/** The text of a file, or why it could not be read. */
export type TlsText = { readonly text: string } | { readonly problem: string };

/** An error or a warning about one of the files. */
export interface TlsRemark {
  readonly file: keyof TlsFiles<unknown>;
  readonly text: string;
}

/** A certificate that expires within this time causes a warning. */
const RENEW_WITHIN_MS = 14 * 24 * 60 * 60 * 1000;
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The identity in these texts, or all errors; error texts never quote the files. */
export function toTlsIdentity({ cert, key, clientCa }: TlsFiles<TlsText>): {
  readonly identity: TlsIdentity | undefined;
  readonly problems: readonly TlsRemark[];
} {
  const chain = readCertificates(cert);
  const privateKey = readKey(key);
  const authorities = clientCa === undefined ? undefined : readCertificates(clientCa);
  const problems: TlsRemark[] = [];
  if (typeof chain === "string") problems.push({ file: "cert", text: chain });
  if (typeof privateKey === "string") problems.push({ file: "key", text: privateKey });
  if (typeof authorities === "string") problems.push({ file: "clientCa", text: authorities });
  if (typeof chain === "string" || typeof privateKey === "string" || typeof authorities === "string") {
    return { identity: undefined, problems };
  }
  // The first certificate is the server's own.
  if (new X509Certificate(chain[0]?.pem ?? "").checkPrivateKey(privateKey.key)) {
    return { identity: { chain, key: privateKey.pem, clientAuthorities: authorities }, problems };
  }
  return {
    identity: undefined,
    problems: [{ file: "key", text: "does not match the (first) certificate of TLS_CERT_FILE" }],
  };
}

/** Warnings about certificates that expire soon, have expired, or are not valid yet. */
export function lifetimeRemarks({ chain, clientAuthorities }: TlsIdentity, now: number): TlsRemark[] {
  const remarks: TlsRemark[] = [];
  // A chain is valid while each of its certificates is, authorities while one of them is.
  const own = lifetimeRemark(
    Math.max(...chain.map(({ validFrom }) => validFrom)),
    Math.min(...chain.map(({ validTo }) => validTo)),
    now,
    "clients refuse it",
  );
  if (own !== undefined) remarks.push({ file: "cert", text: `its certificate ${own}` });
  if (clientAuthorities === undefined) return remarks;
  const theirs = lifetimeRemark(
    Math.min(...clientAuthorities.map(({ validFrom }) => validFrom)),
    Math.max(...clientAuthorities.map(({ validTo }) => validTo)),
    now,
    "all clients are refused",
  );
  if (theirs !== undefined) remarks.push({ file: "clientCa", text: `its last authority ${theirs}` });
  return remarks;
}

function lifetimeRemark(from: number, to: number, now: number, outside: string): string | undefined {
  if (now > to) return `expired at ${new Date(to).toISOString()}: ${outside}`;
  if (now < from) return `is not valid before ${new Date(from).toISOString()}: ${outside}`;
  return to - now < RENEW_WITHIN_MS ? `expires at ${new Date(to).toISOString()}: renew it` : undefined;
}

function readCertificates(content: TlsText): readonly Certificate[] | string {
  if ("problem" in content) return content.problem;
  const blocks = content.text.match(BLOCK) ?? [];
  if (blocks.length === 0) return "contains no certificate in PEM";
  const certificates: Certificate[] = [];
  for (const [index, pem] of blocks.entries()) {
    try {
      const { validFromDate, validToDate } = new X509Certificate(pem);
      certificates.push({ pem, validFrom: validFromDate.getTime(), validTo: validToDate.getTime() });
    } catch {
      return `its certificate ${index + 1} is damaged`;
    }
  }
  return certificates;
}

function readKey(content: TlsText): { readonly pem: string; readonly key: KeyObject } | string {
  if ("problem" in content) return content.problem;
  try {
    return { pem: content.text, key: createPrivateKey(content.text) };
  } catch {
    // Both formats of encrypted keys have a plain-text header that says so.
    return /^-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m.test(content.text)
      ? "is encrypted: a key without passphrase is required"
      : "contains no private key in PEM";
  }
}
