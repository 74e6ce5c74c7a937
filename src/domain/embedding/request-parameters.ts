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

/** An error response. */
export interface RequestRefusal {
  readonly status: number;
  /** Parameters that its text names. */
  readonly named: readonly ParameterName[];
  /** Whether it names another cause, such as the input. */
  readonly hasOtherCause: boolean;
}

/** Models with vectors of variable length; others refuse `dimensions`. */
const TAKES_DIMENSIONS = /^text-embedding-3-/;

/** The parameters of the first request. Base64 takes a third of the bytes of a list of numbers. */
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
 * The parameters of the retry after a refusal; undefined when the refusal is not about a parameter that may be omitted. A
 * refusal that names none (400 or 422) may be about one that is not in `accepted`, those that this provider has accepted
 * before: then base64 is omitted first. Each retry omits something, so that there are three at most.
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
  if (refusal.named.length > 0 || refusal.hasOtherCause) return undefined;
  if (refusal.status !== 400 && refusal.status !== 422) return undefined;
  const maySkip = (name: ParameterName): boolean => isAdaptable(name) && !accepted.has(name);
  if (sent.encodingFormat === "base64" && maySkip("encodingFormat")) return without(sent, "encodingFormat");
  return maySkip("dimensions") ? without(sent, "dimensions") : undefined;
}

/** The parameters of later requests after one with `served` succeeded: without those that either of both omits. */
export function reduced(before: RequestParameters, served: RequestParameters): RequestParameters {
  const formats = [before.encodingFormat, served.encodingFormat];
  const encodingFormat = formats.includes(undefined)
    ? undefined
    : formats.includes("float")
      ? "float"
      : "base64";
  return { encodingFormat, dimensions: before.dimensions && served.dimensions };
}

/** Omits the format in two steps: some providers support the parameter, but not base64. */
function without(sent: RequestParameters, name: ParameterName): RequestParameters {
  if (name === "dimensions") return { ...sent, dimensions: false };
  return { ...sent, encodingFormat: sent.encodingFormat === "base64" ? "float" : undefined };
}
