import { once } from "node:events";
import { rm } from "node:fs/promises";
import * as http2 from "node:http2";
import * as https from "node:https";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type ConnectionOptions, connect } from "node:tls";
import { describe, expect, it } from "vitest";
import { testAuthority } from "../../support/certificates.ts";
import { runCli } from "../../support/run-cli.ts";
import { startApp } from "../../support/start-app.ts";
import { startProcess, type TestProcess } from "../../support/start-process.ts";
import { replaceTls, type TlsContent, tlsFolder } from "../../support/tls-files.ts";

const DAY = 24 * 60 * 60 * 1000;
const authority = testAuthority();
const clientAuthority = testAuthority();
const [first, second] = [authority.issue(), authority.issue()];

interface Served {
  readonly server: TestProcess;
  readonly grpc: string;
  readonly http: string;
}

/** Starts the server process with these files in its own directory. */
async function serve(server: TestProcess): Promise<Served> {
  const { grpc, http } = JSON.parse(await server.lineWith('"serving"')) as { grpc: string; http: string };
  return { server, grpc, http };
}

function start(content: TlsContent): Promise<TestProcess> {
  return startProcess(
    {
      TLS_CERT_FILE: "cert.pem",
      TLS_KEY_FILE: "key.pem",
      ...(content.clientCa === undefined ? {} : { TLS_CLIENT_CA_FILE: "client-ca.pem" }),
    },
    { files: filesOf(content) },
  );
}

function filesOf({ cert, key, clientCa }: TlsContent): Record<string, string> {
  return {
    "cert.pem": cert,
    "key.pem": key,
    ...(clientCa === undefined ? {} : { "client-ca.pem": clientCa }),
  };
}

/** Resolves with the server certificate of a new connection. */
async function shownAt(address: string, options: ConnectionOptions = {}): Promise<string> {
  const [host = "", port] = address.split(":");
  const socket = connect({
    host,
    port: Number(port),
    ca: authority.cert,
    ALPNProtocols: ["h2", "http/1.1"],
    ...options,
  });
  await once(socket, "secureConnect");
  const pem = socket.getPeerX509Certificate()?.toString() ?? "";
  socket.destroy();
  return pem.replaceAll("\n", "");
}

const spell = (pem: string): string => pem.replaceAll("\n", "");

async function get(
  address: string,
  path: string,
  options: https.RequestOptions = { agent: false },
): Promise<string> {
  const request = https.get(`https://${address}${path}`, { ca: authority.cert, ...options });
  const [response] = (await once(request, "response")) as [import("node:http").IncomingMessage];
  return text(response);
}

describe("TLS files", () => {
  it("are reloaded when they change; open connections stay", async () => {
    await using server = await start(first);
    const { grpc, http } = await serve(server);
    expect([await shownAt(grpc), await shownAt(http)]).toEqual([spell(first.cert), spell(first.cert)]);
    const session = http2.connect(`https://${grpc}`, { ca: authority.cert });
    await once(session, "connect");
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    await get(http, "/health", { agent });
    const [kept] = Object.values(agent.freeSockets).flat();

    await replaceTls(server.directory, second);
    // A reload between the two writes may find that they do not match; the next reload succeeds.
    await expect
      .poll(async () => [await shownAt(grpc), await shownAt(http)], { timeout: 30_000 })
      .toEqual([spell(second.cert), spell(second.cert)]);

    const reused = https.get(`https://${http}/health`, { agent, ca: authority.cert });
    const [response] = (await once(reused, "response")) as [import("node:http").IncomingMessage];
    expect([await text(response), reused.socket === kept]).toEqual([expect.stringContaining("alive"), true]);
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.end(Buffer.alloc(5));
    const [trailers] = (await once(stream.resume(), "trailers")) as [http2.IncomingHttpHeaders];
    expect(trailers["grpc-status"]).toBe("0");
    session.close();
    agent.destroy();
  });

  it("are reloaded on SIGHUP", async () => {
    await using server = await start(first);
    const { grpc } = await serve(server);
    await replaceTls(server.directory, second);
    server.process.kill("SIGHUP");
    await server.lineWith('"reloaded"');
    await expect.poll(() => shownAt(grpc), { timeout: 30_000 }).toBe(spell(second.cert));
    server.process.kill("SIGTERM");
    expect(await server.exited).toBe(0);
  });

  it("revoke removed client authorities, also for resumable sessions", async () => {
    await using server = await start({ ...first, clientCa: clientAuthority.cert });
    const { http } = await serve(server);
    const client = { ...clientAuthority.issue(), ca: authority.cert };
    const [host = "", port] = http.split(":");
    const options = { host, port: Number(port), ...client, maxVersion: "TLSv1.2" } as const;
    const socket = connect(options);
    await once(socket, "secureConnect");
    const session = socket.getSession();
    expect(session).toBeDefined();
    if (session === undefined) return;
    const again = connect({ ...options, session });
    await once(again, "secureConnect");
    expect(again.isSessionReused()).toBe(true);
    for (const one of [socket, again]) one.destroy();

    await replaceTls(server.directory, { clientCa: testAuthority().cert });
    await server.lineWith("certificates read");
    await expect
      .poll(
        async () => {
          const late = connect({ ...options, session });
          late.on("error", () => undefined);
          late.write("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
          const answered = await Promise.race([
            once(late, "data").then(
              () => true,
              () => false,
            ),
            once(late, "close").then(() => false),
          ]);
          late.destroy();
          return answered;
        },
        { timeout: 30_000 },
      )
      .toBe(false);
  });

  it("are ignored while they are invalid or missing, with a warning in log, /ready and a metric", async () => {
    await using server = await start(first);
    const { grpc, http } = await serve(server);
    await replaceTls(server.directory, { cert: second.cert });
    const refused = JSON.parse(await server.lineWith("the TLS files are invalid")) as Record<string, unknown>;
    expect(refused).toMatchObject({
      level: "ERROR",
      problems: [expect.stringContaining("TLS_KEY_FILE, key.pem")],
    });
    expect(await shownAt(grpc)).toBe(spell(first.cert));
    expect(await get(http, "/ready")).toContain("TLS files are invalid");
    expect(await get(http, "/metrics")).toMatch(/^recollect_tls_files_refused(\{\})? 1$/m);

    await rm(join(server.directory, "cert.pem"));
    await server.lineWith("ENOENT");
    expect(await shownAt(http)).toBe(spell(first.cert));

    await replaceTls(server.directory, first);
    await server.lineWith("certificates unchanged");
    expect(await get(http, "/ready")).not.toContain("TLS");
    expect(await get(http, "/metrics")).toMatch(/^recollect_tls_files_refused(\{\})? 0$/m);
  });

  const files = filesOf({ ...first, clientCa: clientAuthority.cert });
  it.each<[string, Record<string, string>, readonly RegExp[]]>([
    [
      "are missing",
      {},
      [
        /TLS_CERT_FILE, cert.pem.*ENOENT/,
        /TLS_KEY_FILE, key.pem.*ENOENT/,
        /TLS_CLIENT_CA_FILE, client-ca.pem.*ENOENT/,
      ],
    ],
    ["do not match", { ...files, "key.pem": second.key }, [/TLS_KEY_FILE, key.pem.*match/]],
    [
      "hold nothing",
      { "cert.pem": "", "key.pem": "", "client-ca.pem": "" },
      [/TLS_CERT_FILE/, /TLS_KEY_FILE/, /TLS_CLIENT_CA_FILE/],
    ],
  ])("fail the start when they %s, with a line for each error", async (_name, wrong, faults) => {
    const env = { TLS_CERT_FILE: "cert.pem", TLS_KEY_FILE: "key.pem", TLS_CLIENT_CA_FILE: "client-ca.pem" };
    await using server = await startProcess(env, { files: wrong });
    expect(await server.exited).toBe(2);
    expect(server.stderr().trim().split("\n")).toEqual(faults.map((fault) => expect.stringMatching(fault)));
    expect(server.stdout()).not.toContain('"serving"');
    const check = await runCli(["config", "check"], { address: "localhost:1", cwd: server.directory, env });
    expect(check).toEqual({ code: 2, stderr: server.stderr(), stdout: "" });
  });

  it("do not replace authentication", async () => {
    await using server = await startProcess(
      {
        TLS_CERT_FILE: "cert.pem",
        TLS_KEY_FILE: "key.pem",
        TLS_CLIENT_CA_FILE: "client-ca.pem",
        GRPC_HOST: "0.0.0.0",
      },
      { files },
    );
    expect(await server.exited).toBe(2);
    expect(server.stderr()).toContain("GRPC_HOST");
  });
});

describe("the expiry of a certificate", () => {
  it.each([
    ["is near", { toDays: 13 }, /TLS_CERT_FILE: its certificate expires at/],
    ["has passed", { toDays: -0.5 }, /TLS_CERT_FILE: its certificate expired at/],
  ])("that %s is a warning in log and /ready, and no reason not to start", async (_name, lifetime, says) => {
    await using server = await start(authority.issue(lifetime));
    const { http } = await serve(server);
    const warning = JSON.parse(await server.lineWith("TLS_CERT_FILE: its")) as Record<string, unknown>;
    expect(warning).toMatchObject({ level: "WARN", msg: expect.stringMatching(says) });
    expect(await get(http, "/ready", { agent: false, rejectUnauthorized: false })).toMatch(says);
  });

  it("is logged when it happens, and shown as a metric", async () => {
    await using folder = await tlsFolder(authority.issue({ toDays: 100 }));
    let now = Date.now();
    await using app = await startApp({
      env: folder.env,
      tls: { ca: authority.cert },
      overrides: { clock: { now: () => now } },
    });
    const http = new URL(app.httpUrl).host;
    const [, ends] =
      /^recollect_tls_certificate_expires_seconds(?:\{\})? (\d+)$/m.exec(await get(http, "/metrics")) ?? [];
    expect(Math.round((Number(ends) * 1000 - now) / DAY)).toBe(100);
    expect(await get(http, "/ready")).not.toContain("TLS_");
    now += 90 * DAY;
    expect(await get(http, "/ready")).toContain("TLS_CERT_FILE: its certificate expires at");
  });
});
