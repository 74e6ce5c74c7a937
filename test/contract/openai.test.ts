import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createOpenAiEmbedder } from "../../src/adapters/openai/embedder.ts";
import { EmbeddingFailure } from "../../src/domain/embedding/failure.ts";
import { dot } from "../../src/domain/vector.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import { expectClosed, expectNoLeaks } from "../support/leaks.ts";
import { type Behaviour, type OpenAiServer, startOpenAiServer } from "../support/openai-server.ts";
import { embedderContract } from "./embedder.ts";

const NOW = Date.UTC(2026, 0, 1);
const DIMENSION = 384;

let server: OpenAiServer;
let opened: AsyncDisposable[] = [];
beforeAll(async () => {
  server = await startOpenAiServer();
});
afterAll(() => server[Symbol.asyncDispose]());
afterEach(async () => {
  await Promise.all(opened.map((one) => one[Symbol.asyncDispose]()));
  opened = [];
  server.always({ kind: "answer" });
});

let tokens = 0;
function open(
  options: { readonly model?: string; readonly apiKey?: string; readonly apiBase?: string } = {},
) {
  const embedder = createOpenAiEmbedder({
    model: options.model ?? "a-model",
    dimension: DIMENSION,
    apiKey: options.apiKey ?? "a-key",
    apiBase: options.apiBase ?? server.apiBase,
    clock: { now: () => NOW },
    onTokens: (count) => {
      tokens += count;
    },
  });
  opened.push(embedder);
  return embedder;
}

const embed = (texts: readonly string[], embedder: Embedder = open()) =>
  embedder.embed(texts, new AbortController().signal);

async function failureOf(promise: Promise<unknown>): Promise<EmbeddingFailure> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof EmbeddingFailure) return error;
  throw new Error("expected a failure of the embedder", { cause: error });
}

embedderContract("openai", () => open());

describe("The openai embedder", () => {
  it("asks for base64 with the key and the model, and counts tokens", async () => {
    const before = server.received.length;
    tokens = 0;
    await embed(["four letters ok!", ""]);
    expect(server.received.slice(before)).toEqual([
      {
        texts: ["four letters ok!", " "],
        authorization: "Bearer a-key",
        body: { model: "a-model", input: ["four letters ok!", " "], encoding_format: "base64" },
      },
    ]);
    expect(tokens).toBe(5);
  });

  it.each([
    ["text-embedding-3-small", DIMENSION],
    ["text-embedding-3-large", DIMENSION],
    ["text-embedding-ada-002", undefined],
    ["all-MiniLM-L6-v2", undefined],
  ])("asks %s for dimensions: %s", async (model, dimensions) => {
    await embed(["a"], open({ model }));
    expect(server.received.at(-1)?.body["dimensions"]).toBe(dimensions);
  });

  it("is not told about by variables that are meant for others", async () => {
    const names = ["OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"] as const;
    for (const name of names) process.env[name] = "http://not-this.invalid";
    try {
      await embed(["a"], open({ apiKey: "" }));
      expect(server.received.at(-1)?.authorization).toBe("Bearer none");
    } finally {
      for (const name of names) delete process.env[name];
    }
  });

  it.each<Behaviour["kind"]>(["ignore base64", "backwards"])(
    "understands a server that does: %s",
    async (kind) => {
      const texts = ["The cat sleeps", "Revenue grew", "Deploy on Tuesday"];
      const expected = await embed(texts);
      server.next({ kind } as Behaviour);
      const got = await embed(texts);
      for (const [index, { vector }] of got.entries()) {
        expect(vector).toBeInstanceOf(Float32Array);
        expect(dot(vector, expected[index]?.vector ?? vector)).toBeCloseTo(1, 5);
        expect(Math.sqrt(dot(vector, vector))).toBeCloseTo(1, 5);
      }
    },
  );

  it.each<[string, Behaviour, string, string]>([
    ["401", { kind: "status", status: 401 }, "KEY_REFUSED", "EMBEDDER_MISCONFIGURED"],
    ["403", { kind: "status", status: 403 }, "KEY_REFUSED", "EMBEDDER_MISCONFIGURED"],
    ["404", { kind: "status", status: 404 }, "MISCONFIGURED", "EMBEDDER_MISCONFIGURED"],
    ["400", { kind: "status", status: 400 }, "INPUT_REFUSED", "EMBEDDER_REFUSED_TEXT"],
    ["413", { kind: "status", status: 413 }, "INPUT_REFUSED", "EMBEDDER_REFUSED_TEXT"],
    ["422", { kind: "status", status: 422 }, "INPUT_REFUSED", "EMBEDDER_REFUSED_TEXT"],
    ["429", { kind: "status", status: 429 }, "RATE_LIMITED", "EMBEDDER_UNAVAILABLE"],
    ["500", { kind: "status", status: 500 }, "SERVER_ERROR", "EMBEDDER_UNAVAILABLE"],
    ["503", { kind: "status", status: 503 }, "SERVER_ERROR", "EMBEDDER_UNAVAILABLE"],
    ["a closed socket", { kind: "close the socket" }, "CONNECTION", "EMBEDDER_UNAVAILABLE"],
    ["truncated JSON", { kind: "truncated JSON" }, "MALFORMED", "EMBEDDER_UNAVAILABLE"],
    ["a page of HTML", { kind: "HTML" }, "MALFORMED", "EMBEDDER_UNAVAILABLE"],
    ["NaN", { kind: "NaN" }, "MALFORMED", "EMBEDDER_UNAVAILABLE"],
    ["a zero vector", { kind: "zeros" }, "MALFORMED", "EMBEDDER_UNAVAILABLE"],
    ["a wrong dimension", { kind: "wrong dimension" }, "MISCONFIGURED", "EMBEDDER_MISCONFIGURED"],
    ["a vector too many", { kind: "one too many" }, "MALFORMED", "EMBEDDER_UNAVAILABLE"],
    ["half a batch", { kind: "half a batch" }, "MALFORMED", "EMBEDDER_UNAVAILABLE"],
    ["an index twice", { kind: "same index twice" }, "MALFORMED", "EMBEDDER_UNAVAILABLE"],
  ])(
    "takes %s for what it is, asks once, and says nothing of the text or the key",
    async (_, behaviour, kind, reason) => {
      const before = server.received.length;
      server.next(behaviour);
      const failure = await failureOf(embed(["a secret text", "another"], open({ apiKey: "sk-secret" })));
      expect([failure.kind, failure.reason]).toEqual([kind, reason]);
      expect(failure.detail.metadata).toMatchObject({ provider: "openai", cause: kind.toLowerCase() });
      expect(server.received.length).toBe(before + 1);
      expect(JSON.stringify([failure.message, failure.detail])).not.toMatch(/secret/);
    },
  );

  it.each<[string, Readonly<Record<string, string>>, number | undefined]>([
    ["seconds", { "retry-after": "7" }, 7000],
    ["a date", { "retry-after": new Date(NOW + 9000).toUTCString() }, 9000],
    ["a date that has passed", { "retry-after": new Date(NOW - 9000).toUTCString() }, 0],
    ["milliseconds", { "retry-after-ms": "250", "retry-after": "1" }, 250],
    ["nothing", {}, undefined],
    ["nonsense", { "retry-after": "soon" }, undefined],
  ])("reads Retry-After in %s", async (_, headers, expected) => {
    server.next({ kind: "status", status: 429, headers });
    expect((await failureOf(embed(["a"]))).detail.retryAfterMs).toBe(expected);
  });

  it.each<Behaviour["kind"]>(["hang", "hang in the body"])(
    "gives up when the signal aborts, with its reason, on a server that does: %s",
    async (kind) => {
      const before = server.received.length;
      server.next({ kind } as Behaviour);
      const controller = new AbortController();
      const reason = new Error("enough");
      const embedding = open().embed(["a"], controller.signal);
      void server.requests(before + 1).then(() => controller.abort(reason));
      await expect(embedding).rejects.toBe(reason);
    },
  );

  it("says that nobody is there", async () => {
    expect((await failureOf(embed(["a"], open({ apiBase: "http://127.0.0.1:1/v1" })))).kind).toBe(
      "CONNECTION",
    );
  });

  it("leaves nothing open when it is disposed of, not even what hangs", async () => {
    await expectNoLeaks(async () => {
      await using own = await startOpenAiServer();
      own.next({ kind: "answer" }, { kind: "hang" });
      const embedder = open({ apiBase: own.apiBase });
      await embed(["a"], embedder);
      const hanging = failureOf(embed(["b"], embedder));
      await own.requests(2);
      await embedder[Symbol.asyncDispose]();
      expect((await hanging).kind).toBe("CONNECTION");
      await expectClosed(own.port);
    });
  });
});
