import { APIError } from "openai";
import {
  firstParameters,
  type ParameterName,
  type ParameterSettings,
  parametersAfterRefusal,
  type RequestParameters,
  type RequestRefusal,
  reduced,
} from "../../domain/embedding/request-parameters.ts";
import type { Log } from "../../ports/log.ts";

/** The parameters that the provider accepts, learned from its answers; for the lifetime of the process. */
export class LearnedParameters {
  readonly #settings: ParameterSettings;
  readonly #log: Log;
  readonly #accepted = new Set<ParameterName>();
  #current: RequestParameters;

  constructor(settings: ParameterSettings, model: string, log: Log) {
    this.#settings = settings;
    this.#log = log;
    this.#current = firstParameters(settings, model);
  }

  /** The parameters of the next request. */
  get current(): RequestParameters {
    return this.#current;
  }

  /** The parameters of the retry after a failed request; undefined: no retry. */
  after(sent: RequestParameters, error: unknown): RequestParameters | undefined {
    if (!(error instanceof APIError) || error.status === undefined) return undefined;
    return parametersAfterRefusal(sent, refusalOf(error, error.status), this.#settings, this.#accepted);
  }

  /** To be called after an answer with vectors of the right dimension, in base64 or as lists of numbers. */
  served(sent: RequestParameters, isBase64: boolean): void {
    const ignoresBase64 =
      this.#settings.encodingFormat === "auto" && sent.encodingFormat === "base64" && !isBase64;
    if (sent.encodingFormat === "base64" && isBase64) this.#accepted.add("encodingFormat");
    if (sent.dimensions) this.#accepted.add("dimensions");
    const next = reduced(this.#current, ignoresBase64 ? { ...sent, encodingFormat: "float" } : sent);
    const { encodingFormat, dimensions } = this.#current;
    if (next.encodingFormat === encodingFormat && next.dimensions === dimensions) return;
    this.#current = next;
    this.#log.warn(
      { encodingFormat: next.encodingFormat ?? "omitted", dimensions: next.dimensions ? "sent" : "omitted" },
      "the embedding provider refuses a parameter: later requests omit it",
    );
  }
}

const NAMES: Readonly<Record<ParameterName, RegExp>> = {
  encodingFormat: /encoding_?format|base64/i,
  dimensions: /\bdimensions\b|matryoshka/i,
};
/** Of an error message, which names a parameter at its beginning. */
const READ_CHARACTERS = 2000;

function refusalOf(error: APIError, status: number): RequestRefusal {
  const { param, code } = error;
  const words = `${param} ${code} ${error.message}`.slice(0, READ_CHARACTERS);
  const named = (["encodingFormat", "dimensions"] as const).filter((name) => NAMES[name].test(words));
  return { status, named, hasOtherCause: param === "input" || code === "context_length_exceeded" };
}
