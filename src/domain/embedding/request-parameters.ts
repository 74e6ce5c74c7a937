/** EMBEDDING_ENCODING_FORMAT; `send` is `base64`. */
export type EncodingFormatSetting = "auto" | "send" | "omit" | "base64" | "float";
/** EMBEDDING_DIMENSIONS. */
export type DimensionsSetting = "auto" | "send" | "omit";

export interface ParameterSettings {
  readonly encodingFormat: EncodingFormatSetting;
  readonly dimensions: DimensionsSetting;
}

/** The parameters of a request that a provider may refuse. */
export interface RequestParameters {
  /** Undefined: not sent. */
  readonly encodingFormat: "base64" | "float" | undefined;
  /** Whether the dimension is sent. */
  readonly dimensions: boolean;
}

export type ParameterName = keyof RequestParameters;

/** An answer that is an error. */
export interface RequestRefusal {
  readonly status: number;
  /** Parameters that it speaks of. */
  readonly named: readonly ParameterName[];
  /** It says that something else is at fault, such as the input. */
  readonly blamesOther: boolean;
}

/** The models that can shorten their vectors; others refuse `dimensions`. */
const TAKES_DIMENSIONS = /^text-embedding-3-/;

/** What the first request is sent with. Base64 is a third of the bytes of a list of numbers. */
export function firstParameters(
  { encodingFormat, dimensions }: ParameterSettings,
  model: string,
): RequestParameters {
  return {
    encodingFormat: encodingFormat === "omit" ? undefined : encodingFormat === "float" ? "float" : "base64",
    dimensions: dimensions === "send" || (dimensions === "auto" && TAKES_DIMENSIONS.test(model)),
  };
}

/**
 * What the same request is sent with once more after a refusal; undefined when the refusal is not about a parameter
 * that may be left out. A refusal that names none (400 or 422) may be about one that this provider has not accepted
 * yet (`accepted`): then base64 goes first. Each step leaves something out, so that there are three at most.
 */
export function parametersAfterRefusal(
  sent: RequestParameters,
  refusal: RequestRefusal,
  settings: ParameterSettings,
  accepted: ReadonlySet<ParameterName>,
): RequestParameters | undefined {
  const isAdaptable = (name: ParameterName): boolean => settings[name] === "auto" && Boolean(sent[name]);
  const named = refusal.named.filter(isAdaptable);
  if (named.length > 0) return named.reduce(without, sent);
  if (refusal.named.length > 0 || refusal.blamesOther) return undefined;
  if (refusal.status !== 400 && refusal.status !== 422) return undefined;
  const isDoubtful = (name: ParameterName): boolean => isAdaptable(name) && !accepted.has(name);
  if (sent.encodingFormat === "base64" && isDoubtful("encodingFormat"))
    return without(sent, "encodingFormat");
  return isDoubtful("dimensions") ? without(sent, "dimensions") : undefined;
}

/** What is sent from now on, where a request with `served` was answered: never again what either leaves out. */
export function reduced(before: RequestParameters, served: RequestParameters): RequestParameters {
  const formats = [before.encodingFormat, served.encodingFormat];
  const encodingFormat = formats.includes(undefined)
    ? undefined
    : formats.includes("float")
      ? "float"
      : "base64";
  return { encodingFormat, dimensions: before.dimensions && served.dimensions };
}

/** The format is given up in two steps: some providers know the parameter, but not base64. */
function without(sent: RequestParameters, name: ParameterName): RequestParameters {
  if (name === "dimensions") return { ...sent, dimensions: false };
  return { ...sent, encodingFormat: sent.encodingFormat === "base64" ? "float" : undefined };
}
