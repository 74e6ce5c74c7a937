import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/** One certificate: as it was written, and how long it holds, in milliseconds since 1970. */
export interface Certificate {
  readonly pem: string;
  readonly validFrom: number;
  readonly validTo: number;
}

/** Who a server says it is, and whom it lets in. */
export interface TlsIdentity {
  /** The server's own certificate, and those that lead from it to an authority; never empty. */
  readonly chain: readonly Certificate[];
  /** Private key of the first, PEM. */
  readonly key: string;
  /** Who must have signed a client's certificate; undefined: clients are asked for none. Never empty. */
  readonly clientAuthorities: readonly Certificate[] | undefined;
}

/** The files that an identity is made of, or what is said about each. */
export interface TlsFiles<T> {
  readonly cert: T;
  readonly key: T;
  /** Undefined: clients are asked for no certificate. */
  readonly clientCa: T | undefined;
}

/** What a file held, or why that is not known. */
export type TlsText = { readonly text: string } | { readonly problem: string };

/** What is said about one of the files. */
export interface TlsRemark {
  readonly file: keyof TlsFiles<unknown>;
  readonly text: string;
}

/** A certificate that ends within this time is to be renewed now. */
const RENEW_WITHIN_MS = 14 * 24 * 60 * 60 * 1000;
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The identity that these texts hold, or everything that is wrong with them; never with what they hold. */
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
  // It is the first that is shown as the server's own.
  if (new X509Certificate(chain[0]?.pem ?? "").checkPrivateKey(privateKey.key)) {
    return { identity: { chain, key: privateKey.pem, clientAuthorities: authorities }, problems };
  }
  return {
    identity: undefined,
    problems: [{ file: "key", text: "does not fit the (first) certificate of TLS_CERT_FILE" }],
  };
}

/** What is to be renewed, or does not hold yet, at this time. */
export function lifetimeRemarks({ chain, clientAuthorities }: TlsIdentity, now: number): TlsRemark[] {
  const remarks: TlsRemark[] = [];
  // A chain holds as long as each of its links, authorities as long as one of them does.
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
    "no client is let in",
  );
  if (theirs !== undefined) remarks.push({ file: "clientCa", text: `its last authority ${theirs}` });
  return remarks;
}

function lifetimeRemark(from: number, to: number, now: number, outside: string): string | undefined {
  if (now > to) return `expired at ${new Date(to).toISOString()}: ${outside}`;
  if (now < from) return `holds only from ${new Date(from).toISOString()} on: ${outside}`;
  return to - now < RENEW_WITHIN_MS ? `expires at ${new Date(to).toISOString()}: renew it` : undefined;
}

function readCertificates(given: TlsText): readonly Certificate[] | string {
  if ("problem" in given) return given.problem;
  const blocks = given.text.match(BLOCK) ?? [];
  if (blocks.length === 0) return "holds no certificate in PEM";
  const certificates: Certificate[] = [];
  for (const [index, pem] of blocks.entries()) {
    try {
      const { validFromDate, validToDate } = new X509Certificate(pem);
      certificates.push({ pem, validFrom: validFromDate.getTime(), validTo: validToDate.getTime() });
    } catch {
      return `its certificate number ${index + 1} is damaged`;
    }
  }
  return certificates;
}

function readKey(given: TlsText): { readonly pem: string; readonly key: KeyObject } | string {
  if ("problem" in given) return given.problem;
  try {
    return { pem: given.text, key: createPrivateKey(given.text) };
  } catch {
    // Both forms of such a key say so in the clear.
    return /^-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m.test(given.text)
      ? "is encrypted: there is nobody to ask for its passphrase"
      : "holds no private key in PEM";
  }
}
