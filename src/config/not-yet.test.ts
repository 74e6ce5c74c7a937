import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type SourcesFolder, sourcesFolder } from "../../test/support/settings-sources.ts";
import { NOT_YET, type NotYet } from "./not-yet.ts";
import { SETTINGS } from "./settings.ts";

let folder: SourcesFolder;
beforeAll(async () => {
  folder = await sourcesFolder();
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

const REFUSED: NotYet = { settings: ["logFormat"], values: ["text"], refused: true, instead: "write json" };
const WARNED: NotYet = { settings: ["cacheMaxEntries", "cacheMaxAge"], refused: false, instead: "nothing" };
const notYet = [REFUSED, WARNED];

describe("settings that this version does not support", () => {
  it("are refused with a remedy when set", async () => {
    const problems = await folder.problemsOf({ notYet, env: { LOG_FORMAT: "text" } });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/LOG_FORMAT.*environment.*write json/);
    expect(await folder.problemsOf({ notYet, env: { LOG_FORMAT: "json" } })).toEqual([]);
  });

  it("cause one warning, with every setting involved", async () => {
    const { config } = await folder.load({ notYet, yaml: "cache: { max_entries: 5, max_age: 5000 }" });
    expect(config.warnings).toHaveLength(1);
    expect(config.warnings[0]).toContain("CACHE_MAX_ENTRIES");
    expect(config.warnings[0]).toContain("cache.max_age");
  });

  it("cause no message for defaults", async () => {
    expect((await folder.load({ notYet, terminal: true, yaml: "" })).config.warnings).toEqual([]);
    expect((await folder.load({ yaml: "" })).config.warnings).toEqual([]);
  });

  it("cause no message for an invalid value", async () => {
    const env = { MEMORY_BACKEND: "embeded", REDIS_HOST: "host" };
    expect(await folder.problemsOf({ env })).toEqual([expect.stringContaining("embeded")]);
  });

  it("name existing choices", () => {
    for (const { settings, values = [] } of NOT_YET) {
      for (const key of settings) {
        for (const value of values) expect(SETTINGS[key].kind.read(String(value))).toBe(value);
      }
    }
  });
});
