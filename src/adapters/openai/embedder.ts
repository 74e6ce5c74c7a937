import { Agent } from "undici";
import type { ParameterSettings, RequestParameters } from "../../domain/embedding/request-parameters.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EmbeddedText, Embedder } from "../../ports/embedding/embedder.ts";
import type { Log } from "../../ports/log.ts";
import { openClient } from "./client.ts";
import { failureOf, PROVIDER } from "./failures.ts";
import { LearnedParameters } from "./parameters.ts";
import { isBase64, tokensOf, vectorsOf } from "./vectors.ts";

export interface OpenAiEmbedderOptions {
  readonly model: string;
  readonly dimension: number;
  /** Empty: a dummy key is sent, which most self-hosted servers accept. */
  readonly apiKey: string;
  /** Such as https://api.openai.com/v1, or the URL of any server with the same API. */
  readonly apiBase: string;
  /** The `api-version` of Azure OpenAI; empty: none is sent. */
  readonly apiVersion: string;
  readonly parameters: ParameterSettings;
  readonly log: Log;
  readonly clock: Clock;
  /** Called with the tokens that the provider reports, if it does. */
  readonly onTokens: (count: number) => void;
}

/** An upper bound of a number in JSON with its separators. A response that is larger than its vectors could be is aborted. */
const ANSWER_BYTES_A_NUMBER = 32;
const ANSWER_BYTES_MIN = 1024 * 1024;
/** Texts in the largest possible request; see the decorators. */
const MAX_TEXTS = 2048;

/**
 * Embeds with an OpenAI-compatible server: one attempt, without retries (see ../decorators), except for parameters that
 * the server refuses: the request is repeated without them at once. It has its own connection pool, which dispose closes.
 */
export function createOpenAiEmbedder(options: OpenAiEmbedderOptions): Embedder & AsyncDisposable {
  const { model, dimension, clock } = options;
  const agent = new Agent({
    maxResponseSize: Math.max(ANSWER_BYTES_MIN, MAX_TEXTS * dimension * ANSWER_BYTES_A_NUMBER),
    // The signal has the timeout.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const client = openClient(options, agent);
  const parameters = new LearnedParameters(options.parameters, model, options.log);

  const ask = (input: readonly string[], sent: RequestParameters, signal: AbortSignal): Promise<unknown> =>
    // Not embeddings.create, which requests base64 when encoding_format is undefined.
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
      // Providers refuse an empty text.
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
