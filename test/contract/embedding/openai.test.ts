import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createOpenAiEmbedder } from "../../../src/adapters/openai/embedder.ts";
import { EmbeddingFailure } from "../../../src/domain/embedding/failure.ts";
import type { ParameterSettings } from "../../../src/domain/embedding/request-parameters.ts";
import { dot } from "../../../src/domain/embedding/vector.ts";
import type { Embedder } from "../../../src/ports/embedding/embedder.ts";
import { expectClosed, expectNoLeaks } from "../../support/leaks.ts";
import {
  type Behaviour,
  type OpenAiServer,
  type OpenAiServerOptions,
  startOpenAiServer,
} from "../../support/openai-server.ts";
import { quiet } from "../../support/quiet.ts";
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
  options: {
    readonly model?: string;
    readonly apiKey?: string;
    readonly apiBase?: string;
    readonly apiVersion?: string;
    readonly parameters?: Partial<ParameterSettings>;
  } = {},
) {
  const embedder = createOpenAiEmbedder({
    model: options.model ?? "a-model",
    dimension: DIMENSION,
    apiKey: options.apiKey ?? "a-key",
    apiBase: options.apiBase ?? server.apiBase,
    apiVersion: options.apiVersion ?? "",
    parameters: { encodingFormat: "auto", dimensions: "auto", ...options.parameters },
    log: quiet.log,
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
        url: "/v1/embeddings",
        apiKey: undefined,
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

  it("ignores environment variables of other programs", async () => {
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
    "maps %s to its error, sends one request, and leaves out the text and the key",
    async (_, behaviour, kind, reason) => {
      const embedder = open({ apiKey: "sk-secret" });
      // Base64 is accepted, so that nothing but the texts can be at fault.
      await embed(["a"], embedder);
      const before = server.received.length;
      server.next(behaviour);
      const failure = await failureOf(embed(["a secret text", "another"], embedder));
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

  it("reports an unreachable server", async () => {
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

/** The encoding and dimensions of each request so far. */
function requestedFormats(own: OpenAiServer): (readonly [unknown, unknown])[] {
  return own.received.map(({ body }) => [body["encoding_format"], body["dimensions"]]);
}

const NAMED = "Extra inputs are not permitted: encoding_format";

describe("What a provider does not take", () => {
  const MODEL = "text-embedding-3-small";
  const BASE64 = ["base64", undefined] as const;
  const FLOAT = ["float", undefined] as const;
  const NEITHER = [undefined, undefined] as const;

  it.each<[string, OpenAiServerOptions, readonly (readonly [unknown, unknown])[]]>([
    ["base64, with a 400", { refusesEncoding: ["base64"] }, [BASE64, FLOAT, FLOAT]],
    ["base64, with a 422", { refusesEncoding: ["base64"], refusal: { status: 422 } }, [BASE64, FLOAT, FLOAT]],
    [
      "base64, with a 500 that names it",
      { refusesEncoding: ["base64"], refusal: { status: 500, says: "base64 is not supported" } },
      [BASE64, FLOAT, FLOAT],
    ],
    ["base64, by answering with numbers", { answersIn: "float" }, [BASE64, FLOAT]],
    [
      "encoding_format, whatever the message",
      { refusesEncoding: ["any"], refusal: { status: 400, says: NAMED } },
      [BASE64, FLOAT, NEITHER, NEITHER],
    ],
  ])("is left out from then on, and no call fails: %s", async (_, options, expected) => {
    await using own = await startOpenAiServer(options);
    const embedder = open({ apiBase: own.apiBase });
    const [first] = await embed(["a text"], embedder);
    const [second] = await embed(["a text"], embedder);
    expect(dot(first?.vector ?? new Float32Array(), second?.vector ?? new Float32Array())).toBeCloseTo(1, 5);
    expect(requestedFormats(own)).toEqual(expected);
  });

  it.each<[string, OpenAiServerOptions, readonly (readonly [unknown, unknown])[]]>([
    [
      "dimensions, named",
      { refusesDimensions: true, refusal: { status: 400, says: "no dimensions, please" } },
      [
        ["base64", DIMENSION],
        ["base64", undefined],
        ["base64", undefined],
      ],
    ],
    [
      "dimensions, not named",
      { refusesDimensions: true },
      [["base64", DIMENSION], ["float", DIMENSION], FLOAT, FLOAT],
    ],
    [
      "dimensions and base64",
      { refusesDimensions: true, refusesEncoding: ["base64"], refusal: { status: 422 } },
      [["base64", DIMENSION], ["float", DIMENSION], FLOAT, FLOAT],
    ],
  ])("is left out where models take dimensions: %s", async (_, options, expected) => {
    await using own = await startOpenAiServer(options);
    const embedder = open({ apiBase: own.apiBase, model: MODEL });
    await embed(["a text"], embedder);
    await embed(["a text"], embedder);
    expect(requestedFormats(own)).toEqual(expected);
  });

  it("is kept when the vectors without it have another dimension, and the call fails with that", async () => {
    await using own = await startOpenAiServer({ refusesDimensions: true, dimension: 2 * DIMENSION });
    const embedder = open({ apiBase: own.apiBase, model: MODEL });
    const failure = await failureOf(embed(["a text"], embedder));
    expect([failure.kind, failure.message]).toEqual([
      "MISCONFIGURED",
      expect.stringMatching(/768 numbers.*384/),
    ]);
    await failureOf(embed(["a text"], embedder));
    expect(requestedFormats(own)[3]).toEqual(["base64", DIMENSION]);
  });

  it("is not concluded from a text that is refused", async () => {
    await using own = await startOpenAiServer({ refuses: "unspeakable" });
    const embedder = open({ apiBase: own.apiBase, model: MODEL });
    for (const _ of [1, 2]) {
      const failure = await failureOf(embed(["unspeakable"], embedder));
      expect([failure.kind, failure.status, failure.code]).toEqual(["INPUT_REFUSED", 400, "some_code"]);
    }
    await embed(["a text"], embedder);
    expect(requestedFormats(own).at(-1)).toEqual(["base64", DIMENSION]);
    // Both are accepted from here on.
    const before = own.received.length;
    await failureOf(embed(["unspeakable"], embedder));
    expect(own.received).toHaveLength(before + 1);
  });

  it("ends the wait of who has left, also between the two requests", async () => {
    await using own = await startOpenAiServer({ refusesEncoding: ["base64"] });
    own.next({ kind: "status", status: 400 }, { kind: "hang" });
    const controller = new AbortController();
    const leaving = open({ apiBase: own.apiBase }).embed(["a text"], controller.signal);
    await own.requests(2);
    controller.abort(new Error("left"));
    await expect(leaving).rejects.toThrow("left");
  });

  it.each<[Partial<ParameterSettings>, string, readonly [unknown, unknown]]>([
    [{ encodingFormat: "send" }, "a-model", ["base64", undefined]],
    [{ encodingFormat: "base64" }, "a-model", ["base64", undefined]],
    [{ encodingFormat: "float" }, "a-model", ["float", undefined]],
    [{ encodingFormat: "omit" }, "a-model", [undefined, undefined]],
    [{ dimensions: "send" }, "a-model", ["base64", DIMENSION]],
    [{ dimensions: "omit" }, MODEL, ["base64", undefined]],
    [{ encodingFormat: "omit", dimensions: "omit" }, MODEL, [undefined, undefined]],
  ])("is sent, or not, as is set: %o for %s", async (parameters, model, expected) => {
    for (const answersIn of ["base64", "float"] as const) {
      await using own = await startOpenAiServer({ answersIn });
      const embedder = open({ apiBase: own.apiBase, model, parameters });
      await embed(["a text"], embedder);
      await embed(["a text"], embedder);
      // With dimensions alone set, the format still adapts itself.
      const adapts = parameters.encodingFormat === undefined && answersIn === "float";
      expect(requestedFormats(own)).toEqual([expected, adapts ? ["float", expected[1]] : expected]);
    }
  });

  it.each<[Partial<ParameterSettings>, OpenAiServerOptions]>([
    [{ encodingFormat: "send" }, { refusesEncoding: ["base64"] }],
    [{ encodingFormat: "float" }, { refusesEncoding: ["any"], refusal: { status: 400, says: NAMED } }],
    [
      { dimensions: "send" },
      { refusesDimensions: true, refusal: { status: 400, says: "dimensions are not known" } },
    ],
  ])("is sent when it is configured, and the call fails: %o", async (parameters, options) => {
    await using own = await startOpenAiServer(options);
    expect((await failureOf(embed(["a text"], open({ apiBase: own.apiBase, parameters })))).kind).toBe(
      "INPUT_REFUSED",
    );
    expect(own.received).toHaveLength(1);
  });
});

describe("Azure's api-version", () => {
  it("is sent with every request, and the key as api-key and as bearer token", async () => {
    await using own = await startOpenAiServer({ apiVersion: "2024-10-21" });
    await embed(["a text"], open({ apiBase: own.apiBase, apiVersion: "2024-10-21" }));
    expect(own.received).toMatchObject([
      { url: "/v1/embeddings?api-version=2024-10-21", apiKey: "a-key", authorization: "Bearer a-key" },
    ]);
    expect((await failureOf(embed(["a text"], open({ apiBase: own.apiBase })))).kind).toBe("MISCONFIGURED");
  });

  it("never sends a key to where a redirection points", async () => {
    await using elsewhere = await startOpenAiServer();
    server.next({ kind: "status", status: 307, headers: { location: `${elsewhere.apiBase}/embeddings` } });
    const embedder = open({ apiVersion: "2024-10-21" });
    expect((await failureOf(embed(["a text"], embedder))).kind).toBe("MISCONFIGURED");
    expect(elsewhere.received).toEqual([]);
  });
});
