import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createHashingEmbedder } from "../../src/adapters/hashing/embedder.ts";
import { vectorToBytes } from "../../src/domain/embedding/vector.ts";

/** The behaviour of the server for one request. */
export type Behaviour =
  | { readonly kind: "answer" }
  /** An error in the format of OpenAI. */
  | { readonly kind: "status"; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** The request is read and never answered. */
  | { readonly kind: "hang" }
  /** Sends headers and half of the body, then hangs. */
  | { readonly kind: "hang in the body" }
  | { readonly kind: "close the socket" }
  /** Sends a truncated body with a regular end. */
  | { readonly kind: "truncated JSON" }
  /** An HTML page of a proxy, with status 200. */
  | { readonly kind: "HTML" }
  | { readonly kind: "NaN" }
  | { readonly kind: "zeros" }
  | { readonly kind: "wrong dimension" }
  | { readonly kind: "one too many" }
  | { readonly kind: "half a batch" }
  | { readonly kind: "same index twice" }
  | { readonly kind: "ignore base64" }
  | { readonly kind: "backwards" };

/** One received request. */
export interface Received {
  readonly texts: readonly string[];
  readonly authorization: string | undefined;
  /** Path and query. */
  readonly url: string;
  /** The header `api-key`. */
  readonly apiKey: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A fake of OpenAI's embeddings API, with the vectors of the hashing embedder. */
export interface OpenAiServer extends AsyncDisposable {
  /** Value of EMBEDDING_API_BASE. */
  readonly apiBase: string;
  readonly port: number;
  /** All requests so far, in order. */
  readonly received: readonly Received[];
  /** Behaviours of the next requests, in order; later requests are answered. */
  next(...behaviours: Behaviour[]): void;
  /** Behaviour of all requests from now on without a `next`. */
  always(behaviour: Behaviour): void;
  /** Resolves when the total number of requests reaches this number. */
  requests(count: number): Promise<void>;
}

export interface OpenAiServerOptions {
  /** Dimension of the vectors; default 384. */
  readonly dimension?: number;
  /** A longer text fails the whole request with 400, like too many tokens. */
  readonly maxCharacters?: number;
  /** A request with more texts fails with 413. */
  readonly maxTexts?: number;
  /** Models with orthogonal vectors: the similarity between two models is exactly 0. */
  readonly apart?: readonly [string, string];
  /** A text that contains this fails with 400. */
  readonly refuses?: string;
  /** Refused values of encoding_format; `any`: the parameter itself. */
  readonly refusesEncoding?: readonly ("base64" | "float" | "any")[];
  readonly refusesDimensions?: boolean;
  /** The refusal of parameters: the status, and whether the message names the parameter. Default: 400, unnamed. */
  readonly refusal?: { readonly status: number; readonly says?: string };
  /** The format of responses, independent of the request. */
  readonly answersIn?: "base64" | "float";
  /** Required `api-version`; a request without it or without `api-key` fails with 404 or 401, as at Azure. */
  readonly apiVersion?: string;
}

/** Starts a server on a free port of this machine. */
export async function startOpenAiServer(options: OpenAiServerOptions = {}): Promise<OpenAiServer> {
  const dimension = options.dimension ?? 384;
  const received: Received[] = [];
  const waiters: { readonly count: number; readonly resolve: () => void }[] = [];
  const planned: Behaviour[] = [];
  let usual: Behaviour = { kind: "answer" };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request);
    const texts = [body["input"]].flat() as string[];
    received.push({
      ...{ texts, body, authorization: request.headers.authorization, url: request.url ?? "" },
      apiKey: request.headers["api-key"]?.toString(),
    });
    const behaviour = planned.shift() ?? usual;
    const refusal = refusalOf(request, texts, options);
    const isRefused = refusesParameters(body, options);
    if (behaviour.kind === "status") sendError(response, behaviour.status, behaviour.headers);
    else if (refusal !== undefined) sendError(response, refusal);
    else if (isRefused) sendError(response, options.refusal?.status ?? 400, {}, options.refusal?.says);
    else {
      const made = await vectorsFor(texts, String(body["model"]), dimension, behaviour, options.apart);
      const format = options.answersIn ?? body["encoding_format"];
      await answer(response, behaviour, texts, format === "base64", made);
    }
    for (const { count, resolve } of waiters) if (received.length >= count) resolve();
  };
  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    apiBase: `http://127.0.0.1:${port}/v1`,
    port,
    received,
    next: (...behaviours) => void planned.push(...behaviours),
    always: (behaviour) => {
      usual = behaviour;
    },
    requests: (count) =>
      new Promise((resolve) => {
        if (received.length >= count) resolve();
        else waiters.push({ count, resolve });
      }),
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
}

function refusalOf(
  request: IncomingMessage,
  texts: readonly string[],
  options: OpenAiServerOptions,
): number | undefined {
  const { maxCharacters = Number.POSITIVE_INFINITY, maxTexts = Number.POSITIVE_INFINITY, refuses } = options;
  const url = new URL(request.url ?? "", "http://local");
  if (url.pathname !== "/v1/embeddings") return 404;
  if (options.apiVersion !== undefined) {
    if (url.searchParams.get("api-version") !== options.apiVersion) return 404;
    if (request.headers["api-key"] === undefined) return 401;
  }
  if (texts.length > maxTexts) return 413;
  if (texts.some((text) => text === "" || text.length > maxCharacters)) return 400;
  if (refuses !== undefined && texts.some((text) => text.includes(refuses))) return 400;
  return undefined;
}

function refusesParameters(body: Received["body"], options: OpenAiServerOptions): boolean {
  const { refusesEncoding = [], refusesDimensions = false } = options;
  const format = body["encoding_format"];
  if (refusesDimensions && body["dimensions"] !== undefined) return true;
  return format !== undefined && refusesEncoding.some((one) => one === "any" || one === format);
}

function sendError(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>> = {},
  message = "no",
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ error: { message, type: "some_error", param: null, code: "some_code" } }));
}

/** Not of unit length, because providers do not guarantee that. */
async function vectorsFor(
  texts: readonly string[],
  model: string,
  dimension: number,
  behaviour: Behaviour,
  apart: OpenAiServerOptions["apart"],
): Promise<Float32Array[]> {
  const made = behaviour.kind === "wrong dimension" ? dimension + 1 : dimension;
  const own = apart === undefined ? made : made / 2;
  const embedded = await createHashingEmbedder(own).embed(texts, new AbortController().signal);
  return embedded.map(({ vector }) => {
    const whole = new Float32Array(made);
    whole.set(
      vector.map((value) => value * 3),
      apart?.[1] === model ? own : 0,
    );
    return whole;
  });
}

async function answer(
  response: ServerResponse,
  behaviour: Behaviour,
  texts: readonly string[],
  base64: boolean,
  vectors: readonly Float32Array[],
): Promise<void> {
  if (behaviour.kind === "hang") return;
  if (behaviour.kind === "close the socket") {
    response.destroy();
    return;
  }
  if (behaviour.kind === "HTML") {
    response.writeHead(200, { "content-type": "text/html" });
    response.end("<h1>Welcome</h1>");
    return;
  }
  if (behaviour.kind === "NaN") vectors.at(-1)?.set([Number.NaN]);
  if (behaviour.kind === "zeros") vectors.at(-1)?.fill(0);
  const inBase64 = base64 && behaviour.kind !== "ignore base64";
  let data = vectors.map((vector, index) => ({
    object: "embedding",
    index: behaviour.kind === "same index twice" ? 0 : index,
    embedding: inBase64 ? Buffer.from(vectorToBytes(vector)).toString("base64") : [...vector],
  }));
  if (behaviour.kind === "backwards") data.reverse();
  if (behaviour.kind === "half a batch") data = data.slice(0, Math.floor(data.length / 2));
  if (behaviour.kind === "one too many") data = [...data, ...data.slice(0, 1)];
  const tokens = texts.reduce((sum, text) => sum + Math.ceil(text.length / 4), 0);
  const json = JSON.stringify({
    object: "list",
    data,
    model: "a-model",
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  });
  response.writeHead(200, { "content-type": "application/json" });
  if (behaviour.kind === "hang in the body") response.write(json.slice(0, json.length / 2));
  else response.end(behaviour.kind === "truncated JSON" ? json.slice(0, json.length / 2) : json);
}
