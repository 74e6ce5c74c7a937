import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

/** A certificate and its private key, PEM. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

/** An authority made for one test. */
export interface TestAuthority extends TestCertificate {
  /** Signs a certificate for 127.0.0.1 and localhost, good for servers and clients. */
  issue(lifetime?: Lifetime, curve?: string): TestCertificate;
}

/** Validity in days from now; by default a year that began yesterday. */
export interface Lifetime {
  readonly fromDays?: number;
  readonly toDays?: number;
}

export function testAuthority(lifetime: Lifetime = {}): TestAuthority {
  const name = `authority ${randomBytes(4).toString("hex")}`;
  const keys = newKeys();
  const issuer = { name, privateKey: keys.privateKey };
  return {
    ...certificate({ subject: name, issuer, keys, lifetime, extensions: [BASIC_CONSTRAINTS_CA] }),
    issue: (forDays = {}, curve) =>
      certificate({
        subject: "test",
        issuer,
        keys: newKeys(curve),
        lifetime: forDays,
        extensions: [SUBJECT_ALT_NAME],
      }),
  };
}

// X.509 in DER, as far as the tests need it (RFC 5280): node:crypto reads certificates, but makes none.

interface Keys {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

function newKeys(namedCurve = "prime256v1"): Keys {
  return generateKeyPairSync("ec", { namedCurve });
}

function certificate({
  subject,
  issuer,
  keys,
  lifetime: { fromDays = -1, toDays = 365 },
  extensions,
}: {
  readonly subject: string;
  readonly issuer: { readonly name: string; readonly privateKey: KeyObject };
  readonly keys: Keys;
  readonly lifetime: Lifetime;
  readonly extensions: readonly Buffer[];
}): TestCertificate {
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    ECDSA_WITH_SHA256,
    nameOf(issuer.name),
    sequence(time(fromDays), time(toDays)),
    nameOf(subject),
    keys.publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign("sha256", body, issuer.privateKey);
  const whole = sequence(body, ECDSA_WITH_SHA256, der(0x03, Buffer.from([0]), signature));
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${whole.toString("base64")}\n-----END CERTIFICATE-----\n`,
    key: keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head =
    length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, Math.trunc(length / 256), length % 256];
  return Buffer.concat([Buffer.from([tag, ...head]), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts);
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, "hex"));
}

function nameOf(commonName: string): Buffer {
  return sequence(der(0x31, sequence(oid("550403"), der(0x0c, Buffer.from(commonName)))));
}

function time(days: number): Buffer {
  const date = new Date(Date.now() + days * 24 * 60 * 60 * 1000).toISOString();
  return der(0x18, Buffer.from(`${date.slice(0, 19).replaceAll(/[-T:]/g, "")}Z`));
}

const ECDSA_WITH_SHA256 = sequence(oid("2a8648ce3d040302"));
const TRUE = der(0x01, Buffer.from([0xff]));
const BASIC_CONSTRAINTS_CA = sequence(oid("551d13"), TRUE, der(0x04, sequence(TRUE)));
const SUBJECT_ALT_NAME = sequence(
  oid("551d11"),
  der(0x04, sequence(der(0x82, Buffer.from("localhost")), der(0x87, Buffer.from([127, 0, 0, 1])))),
);
