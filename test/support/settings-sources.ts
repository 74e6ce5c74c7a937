import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "../../src/config/config-error.ts";
import { type Loaded, type LoadOptions, load } from "../../src/config/load.ts";
import type { NotYet } from "../../src/config/not-yet.ts";
import type { Environment } from "../../src/config/sources.ts";

/** Sources of a configuration; files by their content. */
export interface TestSources {
  readonly env?: Environment;
  readonly flags?: Environment;
  readonly dotenv?: string;
  readonly yaml?: string;
  readonly terminal?: boolean;
  readonly notYet?: readonly NotYet[];
}

/** A directory for the files of one test. */
export interface SourcesFolder extends AsyncDisposable {
  readonly path: string;
  /** Writes the files, and returns the options to load them. Without `dotenv` or `yaml` there is no such file. */
  options(sources: TestSources): Promise<LoadOptions>;
  load(sources?: TestSources): Promise<Loaded>;
  /** The problems of the ConfigError; empty for a valid configuration. */
  problemsOf(sources: TestSources): Promise<readonly string[]>;
}

export async function sourcesFolder(): Promise<SourcesFolder> {
  const path = await mkdtemp(join(tmpdir(), "recollect-settings-"));
  let files = 0;
  const options = async (sources: TestSources): Promise<LoadOptions> => {
    files += 1;
    const yamlPath = join(path, `${files}.yaml`);
    const envFile = join(path, `${files}.env`);
    if (sources.yaml !== undefined) await writeFile(yamlPath, sources.yaml);
    if (sources.dotenv !== undefined) await writeFile(envFile, sources.dotenv);
    const { env = {}, flags = {}, terminal, notYet } = sources;
    return {
      env: { RECOLLECT_CONFIG: yamlPath, ...env },
      envFile,
      flags,
      ...(terminal === undefined ? {} : { terminal }),
      ...(notYet === undefined ? {} : { notYet }),
    };
  };
  return {
    path,
    options,
    load: async (sources = {}) => load(await options(sources)),
    problemsOf: async (sources) => {
      try {
        load(await options(sources));
      } catch (error) {
        if (error instanceof ConfigError) return error.problems;
        throw error;
      }
      return [];
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true }),
  };
}
