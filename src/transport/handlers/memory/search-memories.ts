import {
  type MemoryService,
  SearchMemoriesRequest_Mode as Mode,
  type SearchMemoriesRequest,
} from "#gen/recollect/v1/memory_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import { answerBytesOf } from "../../../domain/answer-size.ts";
import { vectorFromBytes } from "../../../domain/embedding/vector.ts";
import { invalidField, RecollectError } from "../../../domain/errors.ts";
import type { MemoryFilter } from "../../../domain/memory/filter.ts";
import {
  type SearchMemoriesPorts,
  type SearchMode,
  type SearchQuery,
  searchMemories,
} from "../../../services/memory/search-memories.ts";
import { fittingResults } from "../../convert/answer-fit.ts";
import { defined } from "../../convert/common.ts";
import { toFilterAsOf } from "../../convert/memory.ts";
import { encodeSearch } from "../../convert/search-bytes.ts";
import { searchDetails, searchResult } from "../../convert/search-result.ts";
import { type Handler, required } from "../../handler.ts";

const DEFAULT_LIMIT = 10;

export function searchMemoriesHandler(
  ports: SearchMemoriesPorts,
): Handler<typeof MemoryService.method.searchMemories> {
  return async (request, context) => {
    const query = toQuery(request);
    const filter = filterOf(request);
    const namespace = namespaceOf(request);
    const { explain } = request;
    const maxBytes = answerBytesOf(request.maxAnswerBytes);
    const output = await searchMemories(
      ports,
      {
        namespace: request.namespace,
        query,
        filter,
        mode: toMode(request.mode, query),
        limit: request.limit === 0 ? DEFAULT_LIMIT : request.limit,
        recencyWeight: request.recencyWeight,
        importanceWeight: request.importanceWeight,
        diversity: request.diversity,
        neighbors: request.neighbors,
        fitting: (all) => fittingResults(all, { namespace, maxBytes, explain }),
        ...defined({ minSimilarity: request.minSimilarity }),
      },
      context,
    );
    const { found, truncated } = output;
    if (!explain && output.degraded.length === 0 && !truncated) return encodeSearch(found, namespace);
    return {
      results: found.map((one) => searchResult(one, namespace, explain)),
      ...searchDetails(output, explain),
      truncated,
    };
  };
}

function filterOf({ filter, asOf, includeSuperseded }: SearchMemoriesRequest): MemoryFilter {
  const given = toFilterAsOf(filter, asOf);
  return includeSuperseded && !given.states.includes("SUPERSEDED")
    ? { ...given, states: [...given.states, "SUPERSEDED"] }
    : given;
}

function toQuery(request: SearchMemoriesRequest): SearchQuery {
  const by = required(request.query).by;
  switch (by.case) {
    case "text":
      return { kind: "text", text: by.value };
    case "memoryId":
      return { kind: "memory", id: by.value };
    case "vector":
      if (by.value.length % 4 !== 0) {
        throw new RecollectError(
          "VECTOR_DIMENSION_MISMATCH",
          `query.vector has ${by.value.length} bytes, which is no whole number of float32`,
          {
            metadata: { actual_bytes: String(by.value.length) },
            violations: [{ field: "query.vector", description: "must be little-endian float32" }],
          },
        );
      }
      return { kind: "vector", vector: vectorFromBytes(by.value) };
    case undefined:
      throw new TypeError("a required oneof is missing after validation");
  }
}

function toMode(mode: Mode, query: SearchQuery): SearchMode {
  if (query.kind === "vector") {
    if (mode === Mode.HYBRID || mode === Mode.KEYWORD) {
      throw invalidField("mode", "a query by vector has no words; use MODE_VECTOR");
    }
    return "VECTOR";
  }
  switch (mode) {
    case Mode.UNSPECIFIED:
    case Mode.HYBRID:
      return "HYBRID";
    case Mode.VECTOR:
      return "VECTOR";
    case Mode.KEYWORD:
      return "KEYWORD";
  }
}
