/** Where requests go, and how they say who asks. */
export interface Address {
  readonly baseURL: string;
  readonly query: Readonly<Record<string, string>>;
  /** A null takes away a header that the client would send. */
  readonly headers: Readonly<Record<string, string | null>>;
}

export interface AddressOptions {
  readonly apiBase: string;
  /** Empty: none is sent. */
  readonly apiVersion: string;
  /** At Azure the name of the deployment. */
  readonly model: string;
  readonly apiKey: string;
}

const AZURE = /\.(openai|cognitiveservices|services\.ai)\.azure\.(com|us|cn)$/i;
/** Versions of the endpoints of deployments are dates; `preview` and `latest` are versions of the v1 endpoint. */
const DATED = /^\d{4}-\d\d-\d\d/;
/** An Entra ID token is a JWT; the keys of Azure are no such thing. */
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * Azure OpenAI takes a key as `api-key` alone: with `Authorization` beside it, it may look for a token there and answer
 * 401. A token of Entra ID goes into `Authorization`. A gateway at another address that is given an `api-version` gets
 * the key in both, and uses the one that it knows.
 */
export function addressOf({ apiBase, apiVersion, model, apiKey }: AddressOptions): Address {
  const isAzure = AZURE.test(new URL(apiBase).hostname);
  const query: Record<string, string> = apiVersion === "" ? {} : { "api-version": apiVersion };
  const baseURL = isAzure ? azureBase(apiBase, apiVersion, model) : apiBase;
  if (apiKey === "" || JWT.test(apiKey) || (!isAzure && apiVersion === "")) {
    return { baseURL, query, headers: {} };
  }
  return { baseURL, query, headers: { "api-key": apiKey, ...(isAzure ? { Authorization: null } : {}) } };
}

/** The address of a resource leads to the endpoint that the version belongs to; any longer one is taken as it is. */
function azureBase(apiBase: string, apiVersion: string, model: string): string {
  const url = new URL(apiBase);
  if (!/^\/(openai\/?)?$/.test(url.pathname)) return apiBase;
  url.pathname = DATED.test(apiVersion) ? `/openai/deployments/${encodeURIComponent(model)}` : "/openai/v1";
  return url.href;
}
