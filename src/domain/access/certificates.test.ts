import { createPrivateKey } from "node:crypto";
import { describe, expect, it } from "vitest";
import { testAuthority } from "../../../test/support/certificates.ts";
import { lifetimeRemarks, type TlsFiles, type TlsIdentity, toTlsIdentity } from "./certificates.ts";

const DAY = 24 * 60 * 60 * 1000;
const authority = testAuthority();
const server = authority.issue();

function read({ cert = server.cert, key = server.key, clientCa }: Partial<TlsFiles<string>>) {
  return toTlsIdentity({
    cert: { text: cert },
    key: { text: key },
    clientCa: clientCa === undefined ? undefined : { text: clientCa },
  });
}

function identityOf(files: Partial<TlsFiles<string>>): TlsIdentity {
  const { identity } = read(files);
  if (identity === undefined) throw new Error("no identity");
  return identity;
}

describe("toTlsIdentity", () => {
  it("reads a chain with text around it, its key, and several authorities", () => {
    const identity = identityOf({
      cert: `subject: test\r\n${server.cert}issuer\n${authority.cert}`,
      clientCa: authority.cert + testAuthority().cert,
    });
    expect(identity.chain.map(({ pem }) => `${pem}\n`)).toEqual([server.cert, authority.cert]);
    expect(identity.key).toBe(server.key);
    expect(identity.clientAuthorities).toHaveLength(2);
    expect(identityOf({}).clientAuthorities).toBeUndefined();
  });

  const encrypted = (type: "pkcs8" | "sec1"): string =>
    createPrivateKey(server.key)
      .export({ type, format: "pem", cipher: "aes-256-cbc", passphrase: "xyzzy" })
      .toString();
  const damaged = server.cert.replace(/[A-Za-z0-9+/]{40}/, "A".repeat(40));
  it.each<[string, Partial<TlsFiles<string>>, file: string, says: RegExp]>([
    ["no certificate", { cert: "" }, "cert", /no certificate/],
    ["a key in its place", { cert: server.key }, "cert", /no certificate/],
    ["a damaged certificate", { cert: server.cert + damaged }, "cert", /certificate 2/],
    ["no key", { key: server.cert }, "key", /no private key/],
    ["a key with a passphrase", { key: encrypted("pkcs8") }, "key", /encrypted/],
    ["an old key with a passphrase", { key: encrypted("sec1") }, "key", /encrypted/],
    ["the key of another", { key: authority.issue().key }, "key", /match/],
    ["a chain that begins with the authority", { cert: authority.cert + server.cert }, "key", /match/],
    ["no authority", { clientCa: "none" }, "clientCa", /no certificate/],
    ["a damaged authority", { clientCa: damaged }, "clientCa", /certificate 1/],
  ])("refuses %s", (_name, files, file, says) => {
    expect(read(files)).toEqual({
      identity: undefined,
      problems: [{ file, text: expect.stringMatching(says) }],
    });
  });

  it("reports the problems of all files at once", () => {
    const { problems } = toTlsIdentity({
      cert: { text: "" },
      key: { text: "" },
      clientCa: { problem: "cannot be read" },
    });
    expect(problems.map(({ file }) => file)).toEqual(["cert", "key", "clientCa"]);
  });
});

describe("lifetimeRemarks", () => {
  it.each([
    [-2, /not valid before/],
    [0, undefined],
    [350, undefined],
    [352, /expires at/],
    [366, /expired at/],
  ])("warns on day %i of a year with %s", (day, says) => {
    const remarks = lifetimeRemarks(identityOf({}), Date.now() + day * DAY);
    expect(remarks).toEqual(says === undefined ? [] : [{ file: "cert", text: expect.stringMatching(says) }]);
  });

  it("uses the first expiry of a chain, and the last one of authorities", () => {
    const [brief, long] = [testAuthority({ toDays: 1 }).cert, authority.cert];
    expect(lifetimeRemarks(identityOf({ cert: server.cert + brief }), Date.now())).toHaveLength(1);
    expect(lifetimeRemarks(identityOf({ clientCa: brief + long }), Date.now())).toEqual([]);
    expect(lifetimeRemarks(identityOf({ clientCa: brief }), Date.now())).toEqual([
      { file: "clientCa", text: expect.stringMatching(/expires at/) },
    ]);
    expect(lifetimeRemarks(identityOf({ clientCa: brief }), Date.now() + 2 * DAY)[0]?.text).toMatch(
      /expired at/,
    );
  });
});
