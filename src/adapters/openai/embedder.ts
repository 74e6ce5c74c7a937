import { OpenAI } from "openai";
import { Agent, fetch as undiciFetch } from "undici";
import type { ParameterSettings, RequestParameters } from "../../domain/embedding/request-parameters.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EmbeddedText, Embedder } from "../../ports/embedding/embedder.ts";
import type { Log } from "../../ports/log.ts";
import { addressOf } from "./address.ts";
import { failureOf, PROVIDER } from "./failures.ts";
import { LearnedParameters } from "./parameters.ts";
import { isBase64, tokensOf, vectorsOf } from "./vectors.ts";

export interface OpenAiEmbedderOptions {
  readonly model: string;
  readonly dimension: number;
  /** Empty: none is sent that means anything, which is what most servers of one's own expect. */
  readonly apiKey: string;
  /** Such as https://api.openai.com/v1, or that of any server with the same API. */
  readonly apiBase: string;
  /** The `api-version` of Azure OpenAI; empty: none is sent. */
  readonly apiVersion: string;
  readonly parameters: ParameterSettings;
  readonly log: Log;
  readonly clock: Clock;
  /** Told what the provider counted, when it does. */
  readonly onTokens: (count: number) => void;
}

/** A number in JSON and what is around it, generously: an answer that is longer than its vectors could be is cut. */
const ANSWER_BYTES_A_NUMBER = 32;
const ANSWER_BYTES_MIN = 1024 * 1024;
/** Of the largest request that is ever made; see the decorators. */
const MAX_TEXTS = 2048;

/**
 * Asks an OpenAI-compatible server for vectors: one attempt, with no policy of its own (see ../decorators), but for
 * parameters that the server refuses: the same request goes out without them at once. It has its own connections, so
 * that none is open once it is disposed of.
 */
export function createOpenAiEmbedder(options: OpenAiEmbedderOptions): Embedder & AsyncDisposable {
  const { model, dimension, clock } = options;
  const agent = new Agent({
    maxResponseSize: Math.max(ANSWER_BYTES_MIN, MAX_TEXTS * dimension * ANSWER_BYTES_A_NUMBER),
    // Time is up when the signal says so.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const client = openClient(options, agent);
  const parameters = new LearnedParameters(options.parameters, model, options.log);

  const ask = (input: readonly string[], sent: RequestParameters, signal: AbortSignal): Promise<unknown> =>
    // Not embeddings.create: that asks for base64 by itself where nothing is to be said of the format.
    client.post("/embeddings", {
      body: {
        model,
        input,
        ...(sent.encodingFormat === undefined ? {} : { encoding_format: sent.encodingFormat }),
        ...(sent.dimensions ? { dimensions: dimension } : {}),
      },
      signal,
    });
  return {
    identity: { provider: PROVIDER, model, dimension },
    embed: async (texts, signal) => {
      signal.throwIfAborted();
      if (texts.length === 0) return [];
      // An empty text is refused; a space says as little.
      const input = texts.map((text) => (text === "" ? " " : text));
      let sent: RequestParameters | undefined = parameters.current;
      for (;;) {
        try {
          const answer = await ask(input, sent, signal);
          const vectors = vectorsOf(answer, texts.length, dimension);
          parameters.served(sent, isBase64(answer));
          const tokens = tokensOf(answer);
          if (tokens > 0) options.onTokens(tokens);
          return vectors.map((vector): EmbeddedText => ({ vector, truncated: false }));
        } catch (error) {
          signal.throwIfAborted();
          sent = parameters.after(sent, error);
          if (sent === undefined) throw failureOf(error, clock.now());
        }
      }
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}

function openClient(options: OpenAiEmbedderOptions, agent: Agent): OpenAI {
  const { baseURL, query, headers } = addressOf(options);
  // A header with a key is sent to one address only; the client takes its own one off by itself.
  const redirect = "api-key" in headers ? ({ redirect: "manual" } as const) : {};
  return new OpenAI({
    apiKey: options.apiKey === "" ? "none" : options.apiKey,
    baseURL,
    defaultQuery: query,
    defaultHeaders: headers,
    // Said, so that the client does not take them from variables that mean something else here.
    organization: null,
    project: null,
    logLevel: "off",
    maxRetries: 0,
    // undici's fetch is the one that Node has built in; only by itself does it take an agent.
    fetch: ((url: string, init: object) =>
      undiciFetch(url, { ...init, ...redirect, dispatcher: agent })) as unknown as typeof fetch,
  });
}
