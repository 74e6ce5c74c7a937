import { toJson } from "@bufbuild/protobuf";
import { InvalidateCacheResponseSchema } from "#gen/recollect/v1/cache_pb.js";
import { connect } from "./client.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import type { GlobalOptions } from "./global-options.ts";
import { print } from "./output.ts";

export interface CacheInvalidateOptions extends GlobalOptions {
  readonly model?: string;
  readonly knowledgeVersion?: string;
  readonly tag: readonly string[];
  readonly validateOnly?: true;
}

/** Invalidates the entries that meet all conditions, or counts them. Without a condition: all of the namespace. */
export async function cacheInvalidate(options: CacheInvalidateOptions): Promise<ExitCode> {
  const response = await connect(options).cache.invalidateCache({
    namespace: options.namespace,
    model: options.model ?? "",
    knowledgeVersion: options.knowledgeVersion ?? "",
    tags: [...new Set(options.tag)],
    validateOnly: options.validateOnly ?? false,
  });
  if (options.json) {
    print(JSON.stringify(toJson(InvalidateCacheResponseSchema, response, { alwaysEmitImplicit: true })));
    return EXIT_CODE.ok;
  }
  const which = `${response.wholeNamespace ? "all" : "the matching"} entries of namespace ${options.namespace || "default"}`;
  print(
    response.count === undefined
      ? `invalidated ${which}`
      : `${response.count} entries would be invalidated: ${which}`,
  );
  return EXIT_CODE.ok;
}
