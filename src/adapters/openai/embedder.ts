import { OpenAI } from "openai";
import { Agent, fetch as undiciFetch } from "undici";
import type { Clock } from "../../ports/clock.ts";
import type { EmbeddedText, Embedder } from "../../ports/embedder.ts";
import { failureOf, PROVIDER } from "./failures.ts";
import { vectorsOf } from "./vectors.ts";

export interface OpenAiEmbedderOptions {
  readonly model: string;
  readonly dimension: number;
  /** Empty: none is sent that means anything, which is what most servers of one's own expect. */
  readonly apiKey: string;
  /** Such as https://api.openai.com/v1, or that of any server with the same API. */
  readonly apiBase: string;
  readonly clock: Clock;
  /** Told what the provider counted, when it does. */
  readonly onTokens: (count: number) => void;
}

/** The models that can shorten their vectors; others refuse the parameter. */
const TAKES_DIMENSIONS = /^text-embedding-3-/;

/** A number in JSON and what is around it, generously: an answer that is longer than its vectors could be is cut. */
const ANSWER_BYTES_A_NUMBER = 32;
const ANSWER_BYTES_MIN = 1024 * 1024;
/** Of the largest request that is ever made; see the decorators. */
const MAX_TEXTS = 2048;

/**
 * Asks an OpenAI-compatible server for vectors: one attempt, with no policy of its own (see ../decorators). It has
 * its own connections, so that none is open once it is disposed of.
 */
export function createOpenAiEmbedder(options: OpenAiEmbedderOptions): Embedder & AsyncDisposable {
  const { model, dimension, clock } = options;
  const agent = new Agent({
    maxResponseSize: Math.max(ANSWER_BYTES_MIN, MAX_TEXTS * dimension * ANSWER_BYTES_A_NUMBER),
    // Time is up when the signal says so.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const client = new OpenAI({
    apiKey: options.apiKey === "" ? "none" : options.apiKey,
    baseURL: options.apiBase,
    // Said, so that the client does not take them from variables that mean something else here.
    organization: null,
    project: null,
    logLevel: "off",
    maxRetries: 0,
    // undici's fetch is the one that Node has built in; only by itself does it take an agent.
    fetch: ((url: string, init: object) =>
      undiciFetch(url, { ...init, dispatcher: agent })) as unknown as typeof fetch,
  });
  return {
    identity: { provider: PROVIDER, model, dimension },
    embed: async (texts, signal) => {
      signal.throwIfAborted();
      if (texts.length === 0) return [];
      try {
        const answer = await client.embeddings.create(
          {
            model,
            // An empty text is refused; a space says as little.
            input: texts.map((text) => (text === "" ? " " : text)),
            encoding_format: "base64",
            ...(TAKES_DIMENSIONS.test(model) ? { dimensions: dimension } : {}),
          },
          { signal },
        );
        const vectors = vectorsOf(answer, texts.length, dimension);
        const tokens: unknown = answer.usage?.prompt_tokens;
        if (typeof tokens === "number" && tokens > 0) options.onTokens(tokens);
        return vectors.map((vector): EmbeddedText => ({ vector, truncated: false }));
      } catch (error) {
        signal.throwIfAborted();
        throw failureOf(error, clock.now());
      }
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}
