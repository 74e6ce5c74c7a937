import { describe, expect, it } from "vitest";
import { addressOf } from "./address.ts";

const RESOURCE = "https://a-resource.openai.azure.com";
const at = (apiBase: string, apiVersion = "", apiKey = "a-key") =>
  addressOf({ apiBase, apiVersion, model: "a model", apiKey });

describe("the address of requests", () => {
  it.each([
    [RESOURCE, "2024-10-21", `${RESOURCE}/openai/deployments/a%20model`],
    [`${RESOURCE}/openai/`, "2024-10-21", `${RESOURCE}/openai/deployments/a%20model`],
    [`${RESOURCE}/`, "", `${RESOURCE}/openai/v1`],
    [RESOURCE, "preview", `${RESOURCE}/openai/v1`],
    [`${RESOURCE}/openai/v1`, "", `${RESOURCE}/openai/v1`],
    [`${RESOURCE}/openai/deployments/mine`, "2024-10-21", `${RESOURCE}/openai/deployments/mine`],
    ["https://api.openai.com/v1", "", "https://api.openai.com/v1"],
    ["https://gateway.example", "2024-10-21", "https://gateway.example"],
  ])("%s with version '%s' is %s", (apiBase, apiVersion, expected) => {
    const { baseURL, query } = at(apiBase, apiVersion);
    expect(baseURL).toBe(expected);
    expect(query).toEqual(apiVersion === "" ? {} : { "api-version": apiVersion });
  });

  it.each([
    [
      "a key at Azure is api-key alone",
      `${RESOURCE}/openai/v1`,
      "",
      "k",
      { "api-key": "k", Authorization: null },
    ],
    [
      "also at the other names of Azure",
      "https://x.services.ai.azure.com/openai/v1",
      "",
      "k",
      { "api-key": "k", Authorization: null },
    ],
    ["a token of Entra ID is a bearer token", `${RESOURCE}/openai/v1`, "", "eyJh.eyJi.c-_", {}],
    [
      "a gateway with a version gets both",
      "https://gateway.example/v1",
      "2024-10-21",
      "k",
      { "api-key": "k" },
    ],
    ["other hosts get a bearer token", "https://api.openai.com/v1", "", "k", {}],
    [
      "a host that only resembles Azure gets a bearer token",
      "https://openai.azure.com.example/v1",
      "",
      "k",
      {},
    ],
    ["no key is no api-key", "https://gateway.example/v1", "2024-10-21", "", {}],
  ])("%s", (_, apiBase, apiVersion, apiKey, expected) => {
    expect(at(apiBase, apiVersion, apiKey).headers).toEqual(expected);
  });
});
