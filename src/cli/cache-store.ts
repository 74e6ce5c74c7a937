import { toJson } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { StoreCacheEntryResponseSchema } from "#gen/recollect/v1/cache_pb.js";
import { connect } from "./client.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import type { GlobalOptions } from "./global-options.ts";
import { readPipedText } from "./input.ts";
import { print, printError } from "./output.ts";
import { UsageError } from "./usage-error.ts";

export interface CacheStoreOptions extends GlobalOptions {
  readonly model?: string;
  readonly system?: string;
  /** Decision token of the lookup that missed; replaces the scope options. */
  readonly decision?: string;
  readonly prompt?: string;
  readonly response?: string;
  /** Milliseconds. */
  readonly ttl?: number;
  readonly tag: readonly string[];
}

/** Stores a response, from the option or standard input, and prints the id of its entry. */
export async function cacheStore(words: readonly string[], options: CacheStoreOptions): Promise<ExitCode> {
  const origin = originOf(options);
  const prompt = promptOf(words, options);
  const response = options.response ?? (await readPipedText("give --response, or pipe the answer in"));
  const clients = connect(options);
  const stored = await clients.cache.storeCacheEntry({
    namespace: options.namespace,
    prompt: { prompt: { case: "text", value: prompt } },
    origin,
    response,
    tags: [...new Set(options.tag)],
    ...(options.ttl === undefined ? {} : { ttl: durationFromMs(options.ttl) }),
  });
  if (options.json) {
    print(JSON.stringify(toJson(StoreCacheEntryResponseSchema, stored)));
  } else {
    print(stored.entry?.id ?? "");
    if (stored.replaced) printError("replaced an earlier entry");
  }
  return EXIT_CODE.ok;
}

function originOf({ decision, model, system }: CacheStoreOptions) {
  if (decision !== undefined) {
    if (model !== undefined || system !== undefined) {
      throw new UsageError("--decision stands for --model and --system; give it alone");
    }
    return { case: "decisionId", value: decision } as const;
  }
  if (model === undefined) throw new UsageError("give --model, or --decision of the lookup that missed");
  return { case: "scope", value: { model, systemPrompt: system ?? "" } } as const;
}

function promptOf(words: readonly string[], { prompt }: CacheStoreOptions): string {
  if ((prompt === undefined) === (words.length === 0)) {
    throw new UsageError("give the prompt once: as an argument or as --prompt");
  }
  return prompt ?? words.join(" ");
}
