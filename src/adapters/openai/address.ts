/** The URL and the authentication headers of requests. */
export interface Address {
  readonly baseURL: string;
  readonly query: Readonly<Record<string, string>>;
  /** null: removes a header that the client would send. */
  readonly headers: Readonly<Record<string, string | null>>;
}

export interface AddressOptions {
  readonly apiBase: string;
  /** Empty: none is sent. */
  readonly apiVersion: string;
  /** The name of the deployment with Azure OpenAI. */
  readonly model: string;
  readonly apiKey: string;
}

const AZURE = /\.(openai|cognitiveservices|services\.ai)\.azure\.(com|us|cn)$/i;
/** Versions of deployment endpoints are dates; `preview` and `latest` are versions of the v1 endpoint. */
const DATED = /^\d{4}-\d\d-\d\d/;
/** Entra ID tokens are JWTs; Azure keys are not. */
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * Azure OpenAI expects a key in the header `api-key` only: with an `Authorization` header too, it may expect a token there
 * and answer 401. A token of Entra ID is sent in `Authorization`. A gateway at another address with an `api-version` gets
 * the key in both, and reads the one that it supports.
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

/** Appends the path of the endpoint of this version to the address of a resource; a longer address is used unchanged. */
function azureBase(apiBase: string, apiVersion: string, model: string): string {
  const url = new URL(apiBase);
  if (!/^\/(openai\/?)?$/.test(url.pathname)) return apiBase;
  url.pathname = DATED.test(apiVersion) ? `/openai/deployments/${encodeURIComponent(model)}` : "/openai/v1";
  return url.href;
}
