import { once } from "node:events";
import * as https from "node:https";
import { text } from "node:stream/consumers";
import { type ConnectionOptions, connect, type SecureContextOptions, type TLSSocket } from "node:tls";
import { Client, credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Config } from "../../../src/config/config.ts";
import { testAuthority } from "../../support/certificates.ts";
import { openOnServers } from "../../support/leaks.ts";
import { connectTcp } from "../../support/raw-http2.ts";
import { startApp, type TestApp } from "../../support/start-app.ts";
import { type TlsContent, type TlsFolder, tlsFolder } from "../../support/tls-files.ts";

const [authority, clientAuthority, stranger] = [testAuthority(), testAuthority(), testAuthority()];
const server = authority.issue();
const client = clientAuthority.issue();
const CLOSED = "closed without an alert";
const TRANSPORTS = ["grpc", "http"] as const;
type Transport = (typeof TRANSPORTS)[number];

/** A server with these files, and the TLS options of its clients. */
async function serve(
  content: TlsContent,
  tls: SecureContextOptions,
  limits: Partial<Config["limits"]> = {},
): Promise<Served> {
  await using cleanup = new AsyncDisposableStack();
  const folder = cleanup.use(await tlsFolder(content));
  const app = cleanup.use(
    await startApp({
      env: folder.env,
      tls,
      configure: (config) => ({ ...config, limits: { ...config.limits, ...limits } }),
    }),
  );
  const owned = cleanup.move();
  return { app, folder, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

interface Served extends AsyncDisposable {
  readonly app: TestApp;
  readonly folder: TlsFolder;
}

function addressOf({ app }: Served, transport: Transport): { readonly host: string; readonly port: number } {
  const address = transport === "grpc" ? app.grpcAddress : new URL(app.httpUrl).host;
  const [host = "", port] = address.split(":");
  return { host, port: Number(port) };
}

/** Resolves with a connection after a response of the server; rejects with the handshake error. */
async function handshake(
  served: Served,
  transport: Transport,
  options: ConnectionOptions,
): Promise<TLSSocket> {
  const socket = connect({
    ...addressOf(served, transport),
    ALPNProtocols: [transport === "grpc" ? "h2" : "http/1.1"],
    ...options,
  });
  await once(socket, "secureConnect");
  // In TLS 1.3 the handshake ends for a client before the server has checked its certificate.
  socket.write(
    transport === "grpc" ? "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" : "GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
  );
  await Promise.race([
    once(socket, "data"),
    once(socket, "close").then(() => Promise.reject(Object.assign(new Error("closed"), { code: CLOSED }))),
  ]);
  return socket;
}

/** Resolves with the error code of a failed handshake. */
async function refusal(served: Served, transport: Transport, options: ConnectionOptions): Promise<unknown> {
  const error: unknown = await handshake(served, transport, options).then(
    (socket) => socket.destroy(),
    (reason: unknown) => reason,
  );
  const code = error instanceof Error && "code" in error ? error.code : "accepted";
  // A connection that was closed with unread data.
  return code === "ECONNRESET" || code === "EPIPE" ? CLOSED : code;
}

/** Resolves with the status and body of a request over HTTP. */
async function get(served: Served, path: string, options: https.RequestOptions): Promise<[number, string]> {
  const request = https.get(`${served.app.httpUrl}${path}`, { agent: false, ...options });
  const [response] = (await once(request, "response")) as [import("node:http").IncomingMessage];
  return [response.statusCode ?? 0, await text(response)];
}

describe("servers with a certificate", () => {
  const trusting = { ca: authority.cert };
  let served: Served;
  beforeAll(async () => {
    served = await serve(server, trusting);
  });
  afterAll(async () => {
    await served[Symbol.asyncDispose]();
  });

  it("serve the API over gRPC and HTTP", async () => {
    await served.app.memory.createMemory({ memory: { text: "Ana is allergic to nuts" } });
    expect((await served.app.memory.listMemories({})).memories).toHaveLength(1);
    const request = https.request(`${served.app.httpUrl}/recollect.v1.MemoryService/ListMemories`, {
      ...trusting,
      method: "POST",
      agent: false,
      headers: { "content-type": "application/json" },
    });
    request.end("{}");
    const [response] = (await once(request, "response")) as [import("node:http").IncomingMessage];
    expect(await text(response)).toContain("allergic to nuts");
    for (const path of ["/health", "/ready", "/metrics"]) {
      expect((await get(served, path, trusting))[0]).toBe(200);
    }
  });

  it("serve the client of grpc-js", async () => {
    const grpc = new Client(served.app.grpcAddress, credentials.createSsl(Buffer.from(authority.cert)));
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const same = (bytes: Buffer): Buffer => bytes;
      grpc.makeUnaryRequest("/grpc.health.v1.Health/Check", same, same, Buffer.alloc(0), (error, bytes) =>
        error === null && bytes !== undefined ? resolve(bytes) : reject(error),
      );
    });
    expect([...answer]).toEqual([8, 1]);
    grpc.close();
  });

  it.each(TRANSPORTS)("present it at %s, from TLS 1.2 on", async (transport) => {
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const socket = await handshake(served, transport, {
        ...trusting,
        minVersion: version,
        maxVersion: version,
      });
      expect([socket.getProtocol(), socket.authorized]).toEqual([version, true]);
      socket.destroy();
    }
    // Otherwise the client itself would refuse the version.
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    expect(await refusal(served, transport, { ...trusting, ...old })).toBe(
      "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
    );
  });

  it.each(TRANSPORTS)("are refused by a client that trusts another authority, at %s", async (transport) => {
    expect(await refusal(served, transport, { ca: stranger.cert })).toBe("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
  });

  it("answer no plaintext request", async () => {
    await expect(fetch(served.app.httpUrl.replace("https", "http"))).rejects.toThrow();
    const grpc = new Client(served.app.grpcAddress, credentials.createInsecure());
    const error = await new Promise<Error | null>((resolve) => {
      const same = (bytes: Buffer): Buffer => bytes;
      const deadline = { deadline: Date.now() + 60_000 };
      grpc.makeUnaryRequest("/grpc.health.v1.Health/Check", same, same, Buffer.alloc(0), deadline, resolve);
    });
    expect(error).toMatchObject({ code: 14 });
    grpc.close();
  });

  it("log nothing about a certificate with a distant expiry", async () => {
    expect((await get(served, "/ready", trusting))[1]).not.toContain("TLS_");
  });
});

describe("servers that require client certificates", () => {
  const trusting = { ca: authority.cert };
  const known = { ...trusting, ...client };
  let served: Served;
  beforeAll(async () => {
    // Both authorities of a file count.
    served = await serve({ ...server, clientCa: testAuthority().cert + clientAuthority.cert }, known);
  });
  afterAll(async () => {
    await served[Symbol.asyncDispose]();
  });

  it("accept a client with a certificate, which does not authenticate it", async () => {
    await served.app.memory.createMemory({ memory: { text: "Ana is allergic to nuts" } });
    expect((await served.app.memory.listMemories({})).memories).toHaveLength(1);
    expect((await get(served, "/ready", known))[0]).toBe(200);
  });

  describe.each(TRANSPORTS)("at %s", (transport) => {
    it.each([
      ["none", {}, "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED"],
      ["one of another authority", stranger.issue(), CLOSED],
      ["one that has expired", clientAuthority.issue({ toDays: -0.5 }), CLOSED],
    ])("refuse a client with %s", async (_name, shown, code) => {
      expect(await refusal(served, transport, { ...trusting, ...shown })).toBe(code);
    });

    it("refuse a client without a certificate in TLS 1.2", async () => {
      expect(await refusal(served, transport, { ...trusting, maxVersion: "TLSv1.2" })).toMatch(
        new RegExp(`^ERR_SSL_|^${CLOSED}$`),
      );
    });
  });

  it("refuse requests without a certificate, also to /health, /ready and /metrics", async () => {
    for (const path of ["/health", "/ready", "/metrics"]) {
      await expect(get(served, path, trusting)).rejects.toMatchObject({
        code: "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
      });
    }
  });
});

describe("a peer that stalls", () => {
  const trusting = { ca: authority.cert };
  /** Resolves when the servers of this process have no connections. */
  const allGone = async (): Promise<void> => {
    while (openOnServers().connections > 0) await new Promise((resolve) => setImmediate(resolve));
  };

  it.each(TRANSPORTS)("before TLS at %s is disconnected", async (transport) => {
    await using served = await serve(server, trusting, { httpHeadersMs: 200 });
    const mute = await connectTcp(Object.values(addressOf(served, transport)).join(":"));
    await once(mute.resume(), "close");
    await allGone();
  });

  it("after the handshake, reading nothing, is disconnected too; so is one that has closed", async () => {
    await using served = await serve(server, trusting, { connectionIdleMs: 300 });
    for (const transport of TRANSPORTS) (await handshake(served, transport, trusting)).destroy();
    await allGone();
    const socket = await handshake(served, "grpc", trusting);
    socket.pause();
    await allGone();
    socket.destroy();
  });
});

describe("a stop", () => {
  it.each(TRANSPORTS)("does not wait for a peer at %s that never starts TLS", async (transport) => {
    const served = await serve(server, {});
    const mute = await connectTcp(Object.values(addressOf(served, transport)).join(":"));
    const closed = once(mute, "close");
    await served[Symbol.asyncDispose]();
    mute.destroy();
    await closed;
  });

  it("closes kept-alive connections after the current response", async () => {
    const served = await serve(server, { ca: authority.cert });
    const socket = await handshake(served, "http", { ca: authority.cert });
    const ended = once(socket, "close");
    await served[Symbol.asyncDispose]();
    await ended;
  });
});
