import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type SourcesFolder, sourcesFolder } from "../../test/support/settings-sources.ts";
import { load } from "./load.ts";
import { type Reload, reload } from "./reload.ts";

let folder: SourcesFolder;
beforeAll(async () => {
  folder = await sourcesFolder();
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

/** Loads one .env file, then reads another in its place. */
async function reloaded(before: string, after: string): Promise<Reload> {
  const options = await folder.options({ dotenv: before, notYet: [] });
  const running = load(options);
  await writeFile(options.envFile ?? "", after);
  return reload(running, options);
}

describe("reload", () => {
  it("applies reloadable settings and names those that need a restart, once each", async () => {
    const outcome = await reloaded(
      "CACHE_DEFAULT_TTL=10\nLOG_LEVEL=info\nGRPC_PORT=1",
      "CACHE_DEFAULT_TTL=20\nLOG_LEVEL=debug\nGRPC_PORT=2",
    );
    expect(outcome).toMatchObject({
      kind: "applied",
      changed: ["LOG_LEVEL: info -> debug", "CACHE_DEFAULT_TTL: 10 -> 20"],
      needRestart: ["GRPC_PORT: 1 -> 2"],
      running: { config: { log: { level: "debug" }, cache: { defaultTtlMs: 20_000 }, grpc: { port: 1 } } },
    });
  });

  it("applies the default of a removed setting", async () => {
    expect(await reloaded("CACHE_SIMILARITY_THRESHOLD=0.3", "")).toMatchObject({
      changed: [
        expect.stringMatching(/^CACHE_SIMILARITY_THRESHOLD: 0\.3 -> by the model/),
        "cache.aligned_threshold: 0.3 -> 0.5",
      ],
      running: { config: { cache: { similarityThreshold: undefined, alignedThreshold: 0.5 } } },
    });
  });

  it("changes nothing for unchanged files", async () => {
    const same = "REDIS_NODES=a:1,b:2\nREDIS_URL=redis://host";
    expect(await reloaded(same, same)).toMatchObject({ changed: [], needRestart: [] });
  });

  it("changes nothing when any value is invalid", async () => {
    const outcome = await reloaded("CACHE_DEFAULT_TTL=10", "CACHE_DEFAULT_TTL=20\nGRPC_PORT=many");
    expect(outcome).toEqual({ kind: "refused", problems: [expect.stringContaining("GRPC_PORT")] });
  });

  it("refuses values that conflict with settings that need a restart", async () => {
    const outcome = await reloaded(
      "ENABLE_VECTOR_SEARCH=false",
      "ENABLE_VECTOR_SEARCH=true\nCACHE_STRATEGY=semantic",
    );
    expect(outcome).toEqual({ kind: "refused", problems: [expect.stringContaining("CACHE_STRATEGY")] });
  });

  it("shows no secret", async () => {
    const outcome = await reloaded("EMBEDDING_API_KEY=first-secret", "EMBEDDING_API_KEY=second-secret");
    expect(outcome).toMatchObject({ needRestart: ["EMBEDDING_API_KEY"] });
  });
});
