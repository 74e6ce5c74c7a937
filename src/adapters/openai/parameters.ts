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

/** What this provider takes besides texts, as far as its answers have shown; as long as the process runs. */
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

  /** What the next request is sent with. */
  get current(): RequestParameters {
    return this.#current;
  }

  /** With what a request that failed is sent once more; undefined: it is not. */
  after(sent: RequestParameters, error: unknown): RequestParameters | undefined {
    if (!(error instanceof APIError) || error.status === undefined) return undefined;
    return parametersAfterRefusal(sent, refusalOf(error, error.status), this.#settings, this.#accepted);
  }

  /** A request was answered with vectors of the right dimension, in base64 or as lists of numbers. */
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
      "the embedding provider does not take a parameter; it is asked without it from now on",
    );
  }
}

const NAMES: Readonly<Record<ParameterName, RegExp>> = {
  encodingFormat: /encoding_?format|base64/i,
  dimensions: /\bdimensions\b|matryoshka/i,
};
/** Of an error: what names a parameter stands at its beginning. */
const READ_CHARACTERS = 2000;

function refusalOf(error: APIError, status: number): RequestRefusal {
  const { param, code } = error;
  const words = `${param} ${code} ${error.message}`.slice(0, READ_CHARACTERS);
  const named = (["encodingFormat", "dimensions"] as const).filter((name) => NAMES[name].test(words));
  return { status, named, hasOtherCause: param === "input" || code === "context_length_exceeded" };
}
