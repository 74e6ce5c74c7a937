import { OpenAI } from "openai";
import { type Agent, fetch as undiciFetch } from "undici";
import { type AddressOptions, addressOf } from "./address.ts";

/**
 * A client of an OpenAI-compatible server, whose connections belong to `agent`. An empty key is sent as a dummy. Redirects are
 * followed unless `refusesRedirects`, or the key is sent as `api-key`: on redirects to another host fetch removes
 * `Authorization` alone.
 */
export function openClient(
  options: AddressOptions,
  agent: Agent,
  { refusesRedirects = false }: { readonly refusesRedirects?: boolean } = {},
): OpenAI {
  const { baseURL, query, headers } = addressOf(options);
  const redirect = refusesRedirects || "api-key" in headers ? ({ redirect: "manual" } as const) : {};
  return new OpenAI({
    apiKey: options.apiKey === "" ? "none" : options.apiKey,
    baseURL,
    defaultQuery: query,
    defaultHeaders: headers,
    // Set, so that the client does not read them from environment variables.
    organization: null,
    project: null,
    logLevel: "off",
    maxRetries: 0,
    // The built-in fetch of Node.js is undici's, but does not accept an agent of this undici.
    fetch: ((url: string, init: object) =>
      undiciFetch(url, { ...init, ...redirect, dispatcher: agent })) as unknown as typeof fetch,
  });
}
