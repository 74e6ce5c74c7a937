import { describe, expect, it } from "vitest";
import { testAuthority } from "../../test/support/certificates.ts";
import { parseTls, tlsError } from "./parse-tls.ts";

const authority = testAuthority();

describe("parseTls", () => {
  it("refuses keys that are too weak", () => {
    const { cert, key } = authority.issue({}, "prime192v1");
    const { identity, problems } = parseTls({
      cert: { text: cert },
      key: { text: key },
      clientCa: undefined,
    });
    expect(identity).toBeUndefined();
    expect(problems).toEqual([{ file: "cert", text: expect.stringContaining("KEY_TOO_SMALL") }]);
  });

  it("names setting and file of each problem, and never quotes a file", () => {
    const missing = { error: Object.assign(new Error("xyzzy"), { code: "EACCES" }) };
    const { problems } = parseTls({ cert: { text: "xyzzy" }, key: missing, clientCa: { text: "xyzzy" } });
    const lines = tlsError({ cert: "a.pem", key: "b.pem", clientCa: "c.pem" }, problems).problems;
    expect(lines).toEqual([
      expect.stringMatching(/^TLS_CERT_FILE, a\.pem: /),
      expect.stringMatching(/^TLS_KEY_FILE, b\.pem: .*EACCES/),
      expect.stringMatching(/^TLS_CLIENT_CA_FILE, c\.pem: /),
    ]);
    expect(lines.join()).not.toContain("xyzzy");
  });
});
