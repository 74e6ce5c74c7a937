import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testAuthority } from "../../support/certificates.ts";
import { type EndedCommand, runCli } from "../../support/run-cli.ts";
import { startApp, type TestApp } from "../../support/start-app.ts";
import { type TlsFolder, tlsFolder } from "../../support/tls-files.ts";

/** Processes start slowly on a busy machine. */
const TIMEOUT_MS = 60_000;

const [authority, clientAuthority] = [testAuthority(), testAuthority()];
let server: TlsFolder;
/** `client-ca.pem`: the authority of the server certificate; `cert.pem` and `key.pem`: an accepted client certificate. */
let client: TlsFolder;
let app: TestApp;

beforeAll(async () => {
  server = await tlsFolder({ ...authority.issue(), clientCa: clientAuthority.cert });
  client = await tlsFolder({ ...clientAuthority.issue(), clientCa: authority.cert });
  app = await startApp({ env: server.env });
}, TIMEOUT_MS);

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
}, TIMEOUT_MS);

const CA = ["--tls-ca", "client-ca.pem"];
const OWN = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];
const STATS = ["--json", "cache", "stats"];

function recollect(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  address = `https://${app.grpcAddress}`,
): Promise<EndedCommand> {
  return runCli(args, { address, cwd: client.path, env });
}

describe("recollect as a client with TLS", { timeout: TIMEOUT_MS }, () => {
  it("reads its files from options or environment variables", async () => {
    const known = { code: 0, stdout: expect.stringMatching(/^\{/), stderr: "" };
    expect(await recollect([...CA, ...OWN, ...STATS])).toEqual(known);
    // The files alone select TLS.
    expect(await recollect([...CA, ...OWN, ...STATS], {}, app.grpcAddress)).toEqual(known);
    const env = {
      RECOLLECT_TLS_CA_FILE: "client-ca.pem",
      RECOLLECT_TLS_CERT_FILE: join(client.path, "cert.pem"),
      RECOLLECT_TLS_KEY_FILE: "key.pem",
    };
    expect(await recollect(STATS, env, app.grpcAddress)).toEqual(known);
  });

  it.each([
    ["an unknown authority", OWN, /--tls-ca/],
    ["no certificate", CA, /requires a certificate.*--tls-cert/],
    ["a certificate without its key", [...CA, "--tls-cert", "cert.pem"], /both/],
    ["a missing file", ["--tls-ca", "none.pem"], /none\.pem.*ENOENT/],
    [
      "a key that does not match",
      [...CA, "--tls-cert", "client-ca.pem", "--tls-key", "key.pem"],
      /cannot be used/,
    ],
  ])("reports %s", async (_name, args, says) => {
    expect(await recollect([...args, ...STATS])).toEqual({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(says),
    });
  });

  it("reports an untrusted server, and a server without TLS", async () => {
    const http = `https://${new URL(app.httpUrl).host}`;
    expect((await recollect([...CA, ...OWN, ...STATS], {}, http)).stderr).toMatch(/HTTP port/);
    const clear = await recollect(STATS, {}, app.grpcAddress);
    expect([clear.code, clear.stderr]).toEqual([2, expect.stringContaining("https://")]);
    await using plain = await startApp();
    expect((await recollect(STATS, {}, `https://${plain.grpcAddress}`)).stderr).toMatch(/does not speak TLS/);
  });

  it("reports that its certificate is rejected", async () => {
    await using stranger = await tlsFolder({ ...testAuthority().issue(), clientCa: authority.cert });
    const args = ["--tls-cert", join(stranger.path, "cert.pem"), "--tls-key", join(stranger.path, "key.pem")];
    const refused = await recollect([...CA, ...args, ...STATS]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/certificate/)]);
  });
});
