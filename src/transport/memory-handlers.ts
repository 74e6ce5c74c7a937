import {
  MemorySchema,
  MemoryService,
  SearchMemoriesRequest_Mode as Mode,
  type Memory as ProtoMemory,
  type SearchMemoriesRequest,
} from "#gen/recollect/v1/memory_pb.js";
import { namespaceOf } from "../domain/access/tenancy.ts";
import { answerBytesOf } from "../domain/answer-size.ts";
import { vectorFromBytes } from "../domain/embedding/vector.ts";
import { invalidField, RecollectError } from "../domain/errors.ts";
import type { MemoryDraft } from "../domain/memory/draft.ts";
import { MAX_PAGE_BYTES } from "../domain/page-token.ts";
import { mapInTurns } from "../lib/yield-to-event-loop.ts";
import type { Memories } from "../ports/memory/memories.ts";
import type { NamespaceStore } from "../ports/namespace-store.ts";
import { type CreateMemoriesPorts, createMemories } from "../services/memory/create-memories.ts";
import { deleteMemory } from "../services/memory/delete-memory.ts";
import { deleteNamespace, getNamespaceStats, listNamespaces } from "../services/memory/namespaces.ts";
import { purgeMemories } from "../services/memory/purge-memories.ts";
import { batchGetMemories, getMemory, listMemories } from "../services/memory/read-memories.ts";
import {
  type SearchMemoriesPorts,
  type SearchMode,
  type SearchQuery,
  searchMemories,
} from "../services/memory/search-memories.ts";
import { updateMemory } from "../services/memory/update-memory.ts";
import { MAX_BATCH_METADATA_BYTES } from "./bounds/limits.ts";
import { refusalOf } from "./bounds/refused-item.ts";
import { fittingMemories, fittingResults, textBytes, textsBytes } from "./convert/answer-fit.ts";
import { fromOutcomes, ofDuplicate } from "./convert/batch-results.ts";
import { defined } from "./convert/common.ts";
import { fromStoredMemory, toDraft, toFilter, toFilterOfPurge, toOnDuplicate } from "./convert/memory.ts";
import { encodeSearch } from "./convert/search-bytes.ts";
import { searchFacts, searchResult } from "./convert/search-result.ts";
import { toMutableFields, toUpdatePaths } from "./convert/update-mask.ts";
import { required, type ServedService, serve } from "./handler.ts";
import { invalidRequest, validator } from "./middleware/validation.ts";
import { transferHandlers } from "./transfer-handlers.ts";
import { refuseUnserved } from "./unserved.ts";

export type MemoryPorts = CreateMemoriesPorts &
  SearchMemoriesPorts & { readonly memories: Memories; readonly namespaces: NamespaceStore };

const DEFAULT_SEARCH_LIMIT = 10;

/** MemoryService: each handler converts, calls one use case, and converts back. */
export function memoryHandlers(ports: MemoryPorts): ServedService {
  return serve(MemoryService, {
    ...transferHandlers(ports),

    createMemory: async (request, context) => {
      const [outcome] = await createMemories(
        ports,
        {
          rpc: "CreateMemory",
          namespace: request.namespace,
          drafts: [toDraft(required(request.memory), "memory")],
          pathOf: () => "memory",
          ...defined({ onDuplicate: toOnDuplicate(request.onDuplicate), requestId: request.requestId }),
        },
        context,
      );
      if (outcome === undefined) throw new TypeError("no outcome for the memory");
      if (outcome.kind === "refused") throw outcome.error;
      return {
        memory: fromStoredMemory(outcome.memory, namespaceOf(request)),
        ...ofDuplicate(outcome),
      };
    },

    batchCreateMemories: async (request, context) => {
      const pathOf = (index: number): string => `memories[${index}]`;
      const outcomes = await createMemories(
        ports,
        {
          rpc: "BatchCreateMemories",
          namespace: request.namespace,
          drafts: await mapInTurns(withinBatchLimit(request.memories), charactersOf, (memory, index) =>
            draftOrError(memory, pathOf(index)),
          ),
          pathOf,
          ...defined({ onDuplicate: toOnDuplicate(request.onDuplicate), requestId: request.requestId }),
        },
        context,
      );
      return fromOutcomes(outcomes, {
        namespace: namespaceOf(request),
        maxBytes: answerBytesOf(request.maxAnswerBytes),
      });
    },

    getMemory: async (request, context) => {
      const memory = await getMemory(ports, request, context);
      return { memory: fromStoredMemory(memory, namespaceOf(request)) };
    },

    listMemories: async (request, context) => {
      const namespace = namespaceOf(request);
      const maxBytes = answerBytesOf(request.maxAnswerBytes, MAX_PAGE_BYTES);
      const { memories, nextPageToken } = await listMemories(
        ports,
        {
          namespace: request.namespace,
          filter: toFilter(request.filter),
          pageSize: request.pageSize,
          pageToken: request.pageToken,
          fitting: (found, tokenBehind) =>
            fittingMemories(found, { namespace, maxBytes, beside: (kept) => textBytes(tokenBehind(kept)) }),
        },
        context,
      );
      return { memories: memories.map((memory) => fromStoredMemory(memory, namespace)), nextPageToken };
    },

    batchGetMemories: async (request, context) => {
      const namespace = namespaceOf(request);
      const maxBytes = answerBytesOf(request.maxAnswerBytes);
      const { memories, notFoundIds, omittedIds } = await batchGetMemories(
        ports,
        {
          namespace: request.namespace,
          ids: request.ids,
          fitting: (found, missing) => {
            const missingBytes = textsBytes(missing);
            const beside = (kept: number): number =>
              missingBytes + textsBytes(found.slice(kept).map(({ id }) => id));
            return fittingMemories(found, { namespace, maxBytes, beside });
          },
        },
        context,
      );
      return {
        memories: memories.map((memory) => fromStoredMemory(memory, namespace)),
        notFoundIds: [...notFoundIds],
        omittedIds: [...omittedIds],
      };
    },

    updateMemory: async (request, context) => {
      const { memory } = request;
      if (memory === undefined || memory.id === "") throw invalidField("memory.id", "is required");
      const paths = toUpdatePaths(request.updateMask, memory);
      refuseBrokenRules(memory, paths);
      const updated = await updateMemory(
        ports,
        {
          namespace: request.namespace,
          id: memory.id,
          etag: memory.etag,
          patch: toDraft(memory, "memory"),
          fields: toMutableFields(paths),
          ...defined({ requestId: request.requestId }),
        },
        context,
      );
      return { memory: fromStoredMemory(updated, namespaceOf(request)) };
    },

    purgeMemories: async (request, context) => {
      const { namespace, force } = request;
      const filter = toFilterOfPurge(request.filter);
      const count = await purgeMemories(
        ports,
        { namespace, filter, force, ...defined({ requestId: request.requestId }) },
        context,
      );
      return { count };
    },

    listNamespaces: async (request, context) => {
      const { names, nextPageToken } = await listNamespaces(ports, request, context);
      return { namespaces: names, nextPageToken };
    },

    getNamespaceStats: async (request, context) => {
      const { memories, cacheEntries } = await getNamespaceStats(ports, request, context);
      return { memoryCount: memories, cacheEntryCount: cacheEntries };
    },

    deleteNamespace: async (request, context) => {
      const { namespace, force, requestId } = request;
      const { memories, cacheEntries } = await deleteNamespace(
        ports,
        { namespace, force, ...defined({ requestId }) },
        context,
      );
      return { memoryCount: memories, cacheEntryCount: cacheEntries };
    },

    deleteMemory: async (request, context) => {
      await deleteMemory(
        ports,
        {
          namespace: request.namespace,
          id: request.id,
          etag: request.etag,
          ...defined({ requestId: request.requestId }),
        },
        context,
      );
      return {};
    },

    searchMemories: async (request, context) => {
      const query = toQuery(request);
      const filter = toFilter(request.filter);
      const namespace = namespaceOf(request);
      const { explain } = request;
      const maxBytes = answerBytesOf(request.maxAnswerBytes);
      const output = await searchMemories(
        ports,
        {
          namespace: request.namespace,
          query,
          filter:
            request.includeSuperseded && !filter.states.includes("SUPERSEDED")
              ? { ...filter, states: [...filter.states, "SUPERSEDED"] }
              : filter,
          mode: toMode(request.mode, query),
          limit: request.limit === 0 ? DEFAULT_SEARCH_LIMIT : request.limit,
          recencyWeight: request.recencyWeight,
          importanceWeight: request.importanceWeight,
          fitting: (all) => fittingResults(all, { namespace, maxBytes, explain }),
          ...defined({ minSimilarity: request.minSimilarity }),
        },
        context,
      );
      const { found, truncated } = output;
      if (!explain && output.degraded.length === 0 && !truncated) return encodeSearch(found, namespace);
      return {
        results: found.map((one) => searchResult(one, namespace, explain)),
        ...searchFacts(output, explain),
        truncated,
      };
    },
  });
}

/** A correction is held to the rules of the fields that it takes; the others may be empty or wrong. */
function refuseBrokenRules(memory: ProtoMemory, paths: readonly string[]): void {
  refuseUnserved(MemorySchema, memory, "memory.");
  const checked = validator.validate(MemorySchema, memory);
  if (checked.kind === "error") throw checked.error;
  if (checked.kind === "valid") return;
  const broken = checked.error.violations.filter(({ field }) => {
    const first = field[0];
    return first?.kind === "field" && (first.name === "id" || paths.includes(first.name));
  });
  if (broken.length > 0) throw invalidRequest({ violations: broken }, "memory");
}

const MAX_BATCH_BYTES = 8 * 1024 * 1024;

/** The schema has no rule for the size of all texts together. */
function withinBatchLimit(memories: readonly ProtoMemory[]): readonly ProtoMemory[] {
  const bytes = memories.reduce((sum, memory) => sum + Buffer.byteLength(memory.text), 0);
  if (bytes > MAX_BATCH_BYTES) {
    throw invalidField(
      "memories",
      `texts take ${bytes} bytes; at most ${MAX_BATCH_BYTES} are allowed in a batch`,
    );
  }
  const metadataBytes = memories.reduce(
    (sum, { metadata }) => sum + (metadata === undefined ? 0 : Buffer.byteLength(JSON.stringify(metadata))),
    0,
  );
  if (metadataBytes > MAX_BATCH_METADATA_BYTES) {
    throw invalidField(
      "memories",
      `metadata takes ${metadataBytes} bytes; at most ${MAX_BATCH_METADATA_BYTES} are allowed in a batch`,
    );
  }
  return memories;
}

function charactersOf({ text }: ProtoMemory): number {
  return text.length;
}

/** An item of a batch is checked by itself: its error is its own answer, not that of the call. */
function draftOrError(memory: ProtoMemory, path: string): MemoryDraft | RecollectError {
  const refusal = refusalOf(memory);
  if (refusal !== undefined) return refusal;
  try {
    const checked = validator.validate(MemorySchema, memory);
    if (checked.kind === "invalid") throw invalidRequest(checked.error, path);
    if (checked.kind === "error") throw checked.error;
    refuseUnserved(MemorySchema, memory, `${path}.`);
    return toDraft(memory, path);
  } catch (error) {
    if (error instanceof RecollectError) return error;
    throw error;
  }
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
      throw new TypeError("a required oneof is missing behind validation");
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
