import { toJson } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import {
  SearchMemoriesRequest_Mode,
  SearchMemoriesResponse_Degradation,
  SearchMemoriesResponse_ResultSchema,
} from "#gen/recollect/v1/memory_pb.js";
import { connect, MAX_MESSAGE_BYTES } from "./client.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import { formatPlan } from "./format-plan.ts";
import { formatResult } from "./format-result.ts";
import type { GlobalOptions } from "./global-options.ts";
import { type FilterOptions, toFilter } from "./memory-filter.ts";
import { print, printError } from "./output.ts";

export interface MemorySearchOptions extends GlobalOptions, FilterOptions {
  readonly limit?: number;
  readonly mode?: "hybrid" | "vector" | "keyword";
  readonly minSimilarity?: number;
  readonly diversity?: number;
  readonly includeSuperseded?: boolean;
  readonly asOf?: Timestamp;
  readonly neighbors?: number;
  readonly explain?: boolean;
}

const MODES = {
  hybrid: SearchMemoriesRequest_Mode.HYBRID,
  vector: SearchMemoriesRequest_Mode.VECTOR,
  keyword: SearchMemoriesRequest_Mode.KEYWORD,
} as const;

/** Prints the search results, best first. Exits with 0, also without results. */
export async function memorySearch(
  words: readonly string[],
  options: MemorySearchOptions,
): Promise<ExitCode> {
  const clients = connect(options);
  const filter = toFilter(options);
  const { results, degraded, plan, truncated } = await clients.memory.searchMemories({
    namespace: options.namespace,
    query: { by: { case: "text", value: words.join(" ") } },
    ...(filter === undefined ? {} : { filter }),
    explain: options.explain ?? false,
    maxAnswerBytes: MAX_MESSAGE_BYTES,
    ...(options.limit === undefined ? {} : { limit: options.limit }),
    ...(options.mode === undefined ? {} : { mode: MODES[options.mode] }),
    ...(options.minSimilarity === undefined ? {} : { minSimilarity: options.minSimilarity }),
    ...(options.diversity === undefined ? {} : { diversity: options.diversity }),
    ...(options.asOf === undefined ? {} : { asOf: options.asOf }),
    ...(options.neighbors === undefined ? {} : { neighbors: options.neighbors }),
    includeSuperseded: options.includeSuperseded ?? false,
  });
  for (const degradation of degraded) {
    printError(`the search was incomplete: ${SearchMemoriesResponse_Degradation[degradation]}`);
  }
  for (const [index, result] of results.entries()) {
    if (options.json) print(JSON.stringify(toJson(SearchMemoriesResponse_ResultSchema, result)));
    else for (const line of formatResult(result, index + 1)) print(line);
  }
  if (truncated)
    printError("the results exceed the response limit: the last ones, or neighbours, are omitted");
  if (plan !== undefined) printError(formatPlan(plan));
  if (results.length === 0) printError("nothing found");
  return EXIT_CODE.ok;
}
