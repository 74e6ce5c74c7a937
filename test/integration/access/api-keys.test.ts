import { request as httpRequest } from "node:http";
import { Metadata, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../../src/config/load.ts";
import { type TestKey, testKey } from "../../support/api-keys.ts";
import { expectNoLeaks } from "../../support/leaks.ts";
import { RawGrpc } from "../../support/raw-grpc.ts";
import { startApp, type TestApp } from "../../support/start-app.ts";

const LIST = "/recollect.v1.MemoryService/ListMemories";
const EXPORT = "/recollect.v1.MemoryService/ExportMemories";
/** Bytes that are no valid message. */
const BROKEN = Buffer.from([0xff, 0xff, 0xff]);

/** The error body of a refused call over HTTP, in the Connect protocol. */
interface HttpRefusal {
  readonly status: number;
  readonly code: string | undefined;
  readonly detail: string;
}

const WRONG: readonly (readonly [name: string, authorization: (key: string) => string | undefined])[] = [
  ["no header", () => undefined],
  ["an empty header", () => ""],
  ["a scheme without a key", () => "Bearer "],
  ["a key without a scheme", (key) => key],
  ["another scheme", (key) => `Basic ${key}`],
  ["two keys", (key) => `Bearer ${key} ${key}`],
  ["an unknown key", () => "Bearer no-such-key"],
  ["a key with a letter more", (key) => `Bearer ${key}x`],
  ["a key with a letter less", (key) => `Bearer ${key.slice(0, -1)}`],
];

describe("AUTH_MODE=api_keys", () => {
  const key: TestKey = testKey();
  let app: TestApp;
  let raw: RawGrpc;
  beforeAll(async () => {
    app = await startApp({ apiKeys: [key] });
    raw = new RawGrpc(app.grpcAddress);
  });
  afterAll(async () => {
    raw[Symbol.dispose]();
    await app[Symbol.asyncDispose]();
  });

  const grpc = (authorization: string | undefined, bytes: Uint8Array = new Uint8Array()) => {
    const metadata = new Metadata();
    if (authorization !== undefined) metadata.set("authorization", authorization);
    return raw.unary(LIST, bytes, { metadata });
  };

  async function http(
    headers: Readonly<Record<string, string>>,
    path = LIST,
    body = "{}",
  ): Promise<HttpRefusal> {
    const response = await fetch(`${app.httpUrl}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });
    const answer = (await response.json()) as {
      readonly code?: string;
      readonly details?: { readonly value: string }[];
    };
    const detail = Buffer.from(answer.details?.[0]?.value ?? "", "base64").toString("latin1");
    return { status: response.status, code: answer.code, detail };
  }

  const invalid = expect.objectContaining({
    code: "unauthenticated",
    detail: expect.stringContaining("CREDENTIAL_INVALID"),
  });

  it.each(["Bearer", "bearer", "BEARER  "])("accepts `%s <key>`, over both transports", async (scheme) => {
    const authorization = `${scheme} ${key.key}`;
    expect(await grpc(authorization)).toMatchObject({ code: status.OK });
    expect(await http({ authorization })).toMatchObject({ status: 200 });
  });

  it.each(WRONG)("refuses %s over both transports, before the request is read", async (_name, of) => {
    const authorization = of(key.key);
    const refused = { code: status.UNAUTHENTICATED, reason: "CREDENTIAL_INVALID", metadata: {}, fields: [] };
    expect(await grpc(authorization, BROKEN)).toMatchObject(refused);
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    expect(await http(headers, LIST, "{broken")).toEqual(invalid);
    expect((await http(headers)).status).toBe(401);
  });

  it("validates the request of a caller with a key", async () => {
    const authorization = `Bearer ${key.key}`;
    expect(await grpc(authorization, BROKEN)).toMatchObject({ reason: "REQUEST_MALFORMED" });
    expect(await http({ authorization }, LIST, "{broken")).toMatchObject({
      status: 400,
      detail: expect.stringContaining("REQUEST_MALFORMED"),
    });
  });

  it("answers an unknown caller over HTTP without waiting for the body", async () => {
    const answered = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { "content-type": "application/json", "content-length": "1000" };
      const request = httpRequest(`${app.httpUrl}${LIST}`, { method: "POST", headers }, (response) => {
        resolve(response.statusCode);
        request.destroy();
      });
      request.once("error", reject);
      // Only the headers: the body is never sent.
      request.flushHeaders();
    });
    expect(answered).toBe(401);
  });

  it("refuses in the error format of each protocol, also a body that claims to be compressed", async () => {
    const enveloped = (flags: number, text: string): Buffer =>
      Buffer.concat([Buffer.from([flags, 0, 0, 0, text.length]), Buffer.from(text)]);
    const answer = async (path: string, headers: Readonly<Record<string, string>>, body: Buffer) =>
      (await fetch(`${app.httpUrl}${path}`, { method: "POST", headers, body: new Uint8Array(body) })).text();
    const stream = { "content-type": "application/connect+json" };
    expect(await answer(EXPORT, stream, enveloped(0, "{broken"))).toContain('"unauthenticated"');
    const web = { "content-type": "application/grpc-web+proto" };
    expect(await answer(LIST, web, enveloped(0, "broken"))).toContain("grpc-status: 16");
    const zipped = { "content-type": "application/json", "content-encoding": "gzip" };
    expect(await answer(LIST, zipped, Buffer.from("no gzip"))).toContain('"unauthenticated"');
    const get = await fetch(`${app.httpUrl}${LIST}?connect=v1&encoding=json&message=%7Bbroken`);
    expect([get.status, await get.text()]).toEqual([401, expect.stringContaining('"unauthenticated"')]);
  });

  it("leaves probes and metrics open", async () => {
    for (const path of ["/health", "/ready", "/metrics"]) {
      expect([path, (await fetch(`${app.httpUrl}${path}`)).status]).toEqual([path, 200]);
    }
    const health = await raw.unary("/grpc.health.v1.Health/Check", new Uint8Array());
    expect(health).toMatchObject({ code: status.OK, reply: Buffer.from([0x08, 0x01]) });
    const metrics = await (await fetch(`${app.httpUrl}/metrics`)).text();
    expect(metrics).toContain("recollect_api_keys 1");
    expect(metrics).toContain("recollect_open_to_everyone 0");
    expect(metrics).not.toContain("acme");
  });

  it("binds all addresses by default", () => {
    const hosts = (env: Readonly<Record<string, string>>) => {
      const { grpc: one, http: two } = loadConfig({ env });
      return [one.host, two.host];
    };
    expect(hosts({ AUTH_MODE: "api_keys", AUTH_API_KEYS_FILE: "keys.yaml" })).toEqual(["0.0.0.0", "0.0.0.0"]);
    expect(hosts({ AUTH_MODE: "none" })).toEqual(["127.0.0.1", "127.0.0.1"]);
  });

  it("leaves no connection open when it stops", async () => {
    await expectNoLeaks(async () => {
      await using another = await startApp({ apiKeys: [key] });
      expect((await fetch(`${another.httpUrl}/ready`)).status).toBe(200);
    });
  });
});

describe("AUTH_MODE=none", () => {
  it("requires no credential, and shows in a metric when other machines have access", async () => {
    await using app = await startApp({ env: { ALLOW_UNAUTHENTICATED: "true" } });
    expect((await app.memory.listMemories({})).memories).toEqual([]);
    const metrics = await (await fetch(`${app.httpUrl}/metrics`)).text();
    expect(metrics).toContain("recollect_open_to_everyone 1");
    const ready = (await (await fetch(`${app.httpUrl}/ready`)).json()) as { readonly warnings: string[] };
    expect(ready.warnings).toContainEqual(expect.stringContaining("AUTH_MODE=none"));
  });
});
