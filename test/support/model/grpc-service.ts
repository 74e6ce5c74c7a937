import {
  create,
  type MessageInitShape,
  type JsonObject as ProtoJsonObject,
  toJson,
} from "@bufbuild/protobuf";
import { anyUnpack, durationFromMs, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import { ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import {
  type CacheEntry,
  CacheEntrySchema,
  CacheGuard,
  type CachePromptSchema,
  type CacheScopeSchema,
  type GetCachePolicyResponse,
  GuardReason,
  LookupCacheResponse_Hit_Match as Match,
  LookupCacheResponse_Miss_Reason as MissReason,
  StoreCacheEntryResponse_NotStoredReason as NotStoredReason,
  CacheStrategy as Strategy,
  type UpdateCachePolicyResponse,
} from "#gen/recollect/v1/cache_pb.js";
import {
  WatchMemoriesResponse_Change as Change,
  Memory_Kind as Kind,
  type Memory,
  type MemoryFilterSchema,
  MemorySchema,
  SearchMemoriesRequest_Mode as Mode,
  OnDuplicate,
  ListMemoryRevisionsResponse_RevisionSchema as RevisionSchema,
  Memory_State as State,
} from "#gen/recollect/v1/memory_pb.js";
import type { GuardStrictness } from "../../../src/domain/cache/guard-strictness.ts";
import { cacheEntryId, scopeFingerprint } from "../../../src/domain/cache/scope.ts";
import { type MemoryChange, sealFeedToken } from "../../../src/domain/memory/changes.ts";
import type { MemoryFilter } from "../../../src/domain/memory/filter.ts";
import { canonicalJson, type Json, type JsonObject } from "../../../src/lib/json.ts";
import { toRefusal } from "../errors.ts";
import type { TestApp } from "../start-app.ts";
import type { Answer, ImportStep, Shown } from "./answers.ts";
import { type Call, cacheScopeOf, shownChanges } from "./naive-service.ts";
import type { CacheScopeChoice, Draft, DraftField, ImportedDraft, OperationInput } from "./operations.ts";

type Clients = Pick<TestApp, "memory" | "cache">;

/** The answer of a server over gRPC to a call. */
export async function grpcAnswer(clients: Clients, call: Call): Promise<Answer> {
  try {
    return await ask(clients, call);
  } catch (error) {
    return { kind: "refused", reason: toRefusal(error).reason };
  }
}

async function ask({ memory, cache }: Clients, { input, etag, requestId }: Call): Promise<Answer> {
  const { namespace } = input.at;
  const request = requestId === undefined ? {} : { requestId };
  const plain = (value: unknown): Answer => ({ kind: "plain", value });

  switch (input.op) {
    case "create": {
      const onDuplicate =
        input.onDuplicate === undefined ? {} : { onDuplicate: OnDuplicate[input.onDuplicate] };
      const memories = input.drafts.map(memoryInit);
      const [only] = memories;
      if (input.single && only !== undefined) {
        const made = await memory.createMemory({ namespace, memory: only, ...onDuplicate, ...request });
        return plain(steps(made.memory, made));
      }
      const { results } = await memory.batchCreateMemories({
        namespace,
        memories,
        ...onDuplicate,
        ...request,
      });
      return plain(
        results.map(({ outcome, ...answer }) => {
          if (outcome.case === "memory") return steps(outcome.value, answer);
          const infos = outcome.value?.details.flatMap((any) => anyUnpack(any, ErrorInfoSchema) ?? []);
          return { refused: infos?.[0]?.reason };
        }),
      );
    }
    case "update": {
      const made = await memory.updateMemory({
        namespace,
        memory: { ...memoryInit(input.patch), etag },
        updateMask: { paths: input.fields.map(pathOf) },
        ...request,
      });
      return plain(shown(made.memory));
    }
    case "restore": {
      const { id, revision } = input;
      return plain(shown((await memory.restoreMemory({ namespace, id, revision, etag, ...request })).memory));
    }
    case "revisions": {
      const { id, pageSize } = input;
      return plain(
        await pagesOf(async (pageToken) => {
          const page = await memory.listMemoryRevisions({ namespace, id, pageSize, pageToken });
          return [page.revisions.map((one) => toJson(RevisionSchema, one)), page.nextPageToken];
        }),
      );
    }
    case "delete":
      await memory.deleteMemory({ namespace, id: input.id, etag, ...request });
      return plain("deleted");
    case "purge": {
      const filter = filterInit(input.filter);
      return plain((await memory.purgeMemories({ namespace, filter, force: input.force, ...request })).count);
    }
    case "import":
      return plain(await importAll(memory, namespace, input.messages));
    case "changes":
      return plain(await changesOf(memory, namespace));
    case "access":
      throw new Error("no RPC counts accesses by themselves");
    case "export":
      return plain(await exportAll(memory, namespace, input));
    case "get": {
      const [id = ""] = input.ids;
      if (input.single) return plain(shown((await memory.getMemory({ namespace, id })).memory));
      const { memories, notFoundIds } = await memory.batchGetMemories({ namespace, ids: [...input.ids] });
      return plain({ memories: memories.map(shown), notFoundIds });
    }
    case "list": {
      const filter = filterInit(input.filter);
      return plain(
        await pagesOf(async (pageToken) => {
          const { pageSize } = input;
          const request = { namespace, filter, pageSize, pageToken, ...asOfInit(input.filter) };
          const page = await memory.listMemories(request);
          return [page.memories.map(shown), page.nextPageToken];
        }),
      );
    }
    case "search": {
      const { query, filter, mode, limit, minSimilarity, recencyWeight, importanceWeight, neighbors } = input;
      const { results } = await memory.searchMemories({
        namespace,
        query: {
          by: "text" in query ? { case: "text", value: query.text } : { case: "memoryId", value: query.like },
        },
        filter: filterInit(filter),
        mode: Mode[mode],
        limit,
        recencyWeight,
        importanceWeight,
        neighbors,
        ...asOfInit(filter),
        explain: true,
        ...(minSimilarity === undefined ? {} : { minSimilarity }),
      });
      return {
        kind: "search",
        found: results.map(({ memory: found, score, similarity, explanation, neighbors: beside }) => ({
          memory: shown(found),
          neighbors: beside.map(shown),
          id: found?.id ?? "",
          score,
          ...(similarity === undefined ? {} : { similarity }),
          ...(explanation === undefined || explanation.keywordRank === 0 ? {} : { bm25: explanation.bm25 }),
        })),
      };
    }
    case "namespaces":
      return plain(
        await pagesOf(async (pageToken) => {
          const page = await memory.listNamespaces({ pageSize: input.pageSize, pageToken });
          return [page.namespaces, page.nextPageToken];
        }),
      );
    case "namespaceStats":
      return countsOf(await memory.getNamespaceStats({ namespace }));
    case "deleteNamespace":
      return countsOf(await memory.deleteNamespace({ namespace, force: input.force, ...request }));
    case "storeEntry": {
      const { entry, replaced, stored, notStoredReason } = await cache.storeCacheEntry({
        namespace,
        prompt: promptInit(input.prompt),
        origin: { case: "scope", value: scopeInit(input.scope) },
        response: input.response,
        tags: [...input.tags],
        metadata: input.metadata as ProtoJsonObject,
        ...(input.ttlMs === undefined ? {} : { ttl: durationFromMs(input.ttlMs) }),
        ...request,
      });
      if (!stored) return plain({ notStored: NotStoredReason[notStoredReason] });
      return plain({ entry: shownEntry(entry), replaced });
    }
    case "getEntry": {
      const id = entryId(input);
      return plain(shownEntry((await cache.getCacheEntry({ namespace, id })).entry));
    }
    case "deleteEntry": {
      const id = entryId(input);
      await cache.deleteCacheEntry({ namespace, id, etag, ...request });
      return plain("deleted");
    }
    case "invalidate": {
      const { count, wholeNamespace } = await cache.invalidateCache({
        namespace,
        model: input.model ?? "",
        tags: [...(input.tagsAny ?? [])],
        knowledgeVersion: input.knowledgeVersion ?? "",
        validateOnly: input.validateOnly,
        ...request,
      });
      return plain({ ...(count === undefined ? {} : { count }), wholeNamespace });
    }
    case "listEntries":
      return plain(
        await pagesOf(async (pageToken) => {
          const page = await cache.listCacheEntries({
            namespace,
            pageSize: input.pageSize,
            pageToken,
            model: input.model ?? "",
            tagsAny: [...(input.tagsAny ?? [])],
          });
          return [page.entries.map(shownEntry), page.nextPageToken];
        }),
      );
    case "cacheStats": {
      const stats = await cache.getCacheStats({ namespace });
      const { entryCount, maxEntries, quarantines } = stats;
      const { exactHits, semanticHits, misses, byteCount, stores, evictions } = stats;
      return plain({
        ...{ entryCount, maxEntries, quarantined: Number(quarantines) },
        ...Object.fromEntries(
          Object.entries({ exactHits, semanticHits, misses, byteCount, stores, evictions }).map(
            ([name, value]) => [name, Number(value)],
          ),
        ),
        removed: Number(stats.expirations + stats.invalidations),
        missReasons: Object.fromEntries(
          stats.missesByReason.map(({ reason, count }) => [MissReason[reason], Number(count)]),
        ),
        guardReasons: Object.fromEntries(
          stats.guardRefusals.map(({ reason, count }) => [GuardReason[reason], Number(count)]),
        ),
      });
    }
    case "getPolicy":
      return plain(shownPolicy(await cache.getCachePolicy({ namespace })));
    case "updatePolicy": {
      const policy = { guard: guardInit(input.guard), etag };
      const updateMask = { paths: ["guard"] };
      return plain(shownPolicy(await cache.updateCachePolicy({ namespace, policy, updateMask, ...request })));
    }
    case "lookup": {
      const { strategy, threshold, maxAgeMs, shadow, guard } = input.options;
      const { outcome } = await cache.lookupCache({
        namespace,
        prompt: promptInit(input.prompt),
        scope: scopeInit(input.scope),
        options: {
          shadow,
          guard: guardInit(guard),
          ...(strategy === undefined ? {} : { strategy: Strategy[strategy] }),
          ...(threshold === undefined ? {} : { threshold }),
          ...(maxAgeMs === undefined ? {} : { maxAge: durationFromMs(maxAgeMs) }),
        },
      });
      if (outcome.case === "miss") {
        const { reason, nearestSimilarity, guardReasons, guard: applied } = outcome.value;
        return plain({
          miss: MissReason[reason],
          nearest: nearestSimilarity !== undefined,
          guardReasons: guardReasons.map((one) => GuardReason[one]),
          strictness: CacheGuard[applied].toLowerCase(),
        });
      }
      if (outcome.case === undefined) throw new TypeError("a lookup without an outcome");
      const { match, entry, age } = outcome.value;
      const ageMs = Number(age?.seconds ?? 0n) * 1000 + (age?.nanos ?? 0) / 1e6;
      return plain({ [Match[match]]: shownEntry(entry), ageMs });
    }
  }
}

/** The tenant of all callers without authentication. */
export const GRPC_TENANT = "default";

async function importAll(
  memory: Clients["memory"],
  namespace: string,
  messages: readonly (readonly ImportedDraft[])[],
): Promise<readonly ImportStep[]> {
  const requests = async function* () {
    for (const [index, drafts] of messages.entries()) {
      yield {
        namespace: index === 0 ? namespace : "",
        sequence: index + 1,
        memories: drafts.map(importInit),
      };
    }
  };
  const steps: ImportStep[] = [];
  for await (const progress of memory.importMemories(requests())) {
    expect(progress.sequence).toBe(steps.length + 1);
    steps.push({
      imported: progress.importedCount,
      skipped: progress.skippedCount,
      expired: progress.expiredCount,
      refused: progress.refusedCount,
      refusedHere: progress.refusals.map(({ index }) => index),
    });
  }
  return steps;
}

/** Everything that a watch from the beginning of the feed gives, until there is silence. */
async function changesOf(memory: Clients["memory"], namespace: string): Promise<readonly string[]> {
  const beginning = { incarnation: "", sequence: 0, digest: "" };
  const resumeToken = sealFeedToken(beginning, canonicalJson(["watch", GRPC_TENANT, namespace]));
  const changes: Omit<MemoryChange, "sequence">[] = [];
  let tokensAlone = 0;
  for await (const one of memory.watchMemories({ namespace, resumeToken })) {
    if (one.change === Change.UNSPECIFIED) tokensAlone += 1;
    else {
      const kind = Change[one.change] as MemoryChange["kind"];
      changes.push({ kind, memoryId: one.memory?.id ?? "", time: timestampMs(one.changeTime ?? required()) });
    }
    // The first comes before the changes, the next after them.
    if (tokensAlone === 2) break;
  }
  return shownChanges(changes);
}

function required(): never {
  throw new TypeError("a change without a time");
}

/** Exports with one interruption after a page, and resumes after the last received memory. */
async function exportAll(
  memory: Clients["memory"],
  namespace: string,
  { filter, pageSize }: OperationInput & { readonly op: "export" },
): Promise<readonly Shown[]> {
  const request = { namespace, ...(filter === undefined ? {} : { filter: filterInit(filter) }) };
  const arrived: Shown[] = [];
  let resumeToken = "";
  for await (const one of memory.exportMemories(request)) {
    arrived.push(shown(one.memory));
    ({ resumeToken } = one);
    if (arrived.length === pageSize) break;
  }
  if (resumeToken === "") return arrived;
  for await (const one of memory.exportMemories({ ...request, resumeToken })) arrived.push(shown(one.memory));
  return arrived;
}

/** The etag that an update or a deletion is about, read a moment before; empty when there is nothing. */
export async function currentEtag(clients: Clients, input: OperationInput): Promise<string> {
  const { namespace } = input.at;
  try {
    if (input.op === "updatePolicy")
      return (await clients.cache.getCachePolicy({ namespace })).policy?.etag ?? "";
    if (input.op === "deleteEntry") {
      return (await clients.cache.getCacheEntry({ namespace, id: entryId(input) })).entry?.etag ?? "";
    }
    const id =
      input.op === "update"
        ? input.patch.id
        : input.op === "delete" || input.op === "restore"
          ? input.id
          : "";
    return (await clients.memory.getMemory({ namespace, id })).memory?.etag ?? "";
  } catch (error) {
    toRefusal(error);
    return "";
  }
}

/** The answer for a stored memory, or for its duplicate. */
function steps(
  memory: Memory | undefined,
  {
    duplicate,
    differs,
    recallLoop,
  }: { readonly duplicate: boolean; readonly differs: readonly string[]; readonly recallLoop: boolean },
): object {
  if (!duplicate) return { created: shown(memory), ...(recallLoop ? { recallLoop } : {}) };
  return { duplicate: shown(memory), differs, ...(recallLoop ? { recallLoop } : {}) };
}

function shown(memory: Memory | undefined): Shown {
  return toJson(MemorySchema, memory ?? create(MemorySchema));
}

function shownEntry(entry: CacheEntry | undefined): Shown {
  return toJson(CacheEntrySchema, { ...(entry ?? create(CacheEntrySchema)), etag: "" });
}

function guardInit(guard: GuardStrictness | undefined): CacheGuard {
  return guard === undefined
    ? CacheGuard.UNSPECIFIED
    : CacheGuard[guard.toUpperCase() as Uppercase<GuardStrictness>];
}

function shownPolicy({ policy, effectiveGuard }: GetCachePolicyResponse | UpdateCachePolicyResponse): object {
  const { guard = CacheGuard.UNSPECIFIED, updateTime } = policy ?? {};
  return {
    guard: guard === CacheGuard.UNSPECIFIED ? "server's" : CacheGuard[guard].toLowerCase(),
    effective: CacheGuard[effectiveGuard].toLowerCase(),
    ...(updateTime === undefined ? {} : { updateTime: timestampMs(updateTime) }),
  };
}

function countsOf(counts: { readonly memoryCount: number; readonly cacheEntryCount: number }): Answer {
  return { kind: "counts", memories: counts.memoryCount, cacheEntries: counts.cacheEntryCount };
}

async function pagesOf<Row>(
  read: (pageToken: string) => Promise<readonly [readonly Row[], string]>,
): Promise<(readonly Row[])[]> {
  const pages: (readonly Row[])[] = [];
  for (let pageToken = ""; ; ) {
    const [page, next] = await read(pageToken);
    pages.push(page);
    if (next === "") return pages;
    pageToken = next;
  }
}

function entryId({ at, prompt, scope }: Extract<OperationInput, { readonly prompt: string }>): string {
  const place = { tenant: GRPC_TENANT, namespace: at.namespace };
  return cacheEntryId(place, scopeFingerprint(cacheScopeOf(scope)), prompt);
}

function promptInit(text: string): MessageInitShape<typeof CachePromptSchema> {
  return { prompt: { case: "text", value: text } };
}

function scopeInit(scope: CacheScopeChoice): MessageInitShape<typeof CacheScopeSchema> {
  return { ...scope, knowledgeVersion: scope.systemPrompt, shared: true };
}

function memoryInit(draft: Draft): MessageInitShape<typeof MemorySchema> {
  const {
    kind,
    metadata,
    eventTime,
    validFrom,
    validUntil,
    ttlMs,
    expireTime,
    state: _,
    withoutVector: __,
    ...same
  } = draft;
  const time = (name: string, ms: number | undefined) =>
    ms === undefined ? {} : { [name]: timestampFromMs(ms) };
  return {
    ...same,
    tags: [...same.tags],
    supersedes: [...(same.supersedes ?? [])],
    sourceIds: [...same.sourceIds],
    kind: Kind[kind],
    metadata: metadata as ProtoJsonObject,
    ...time("eventTime", eventTime),
    ...time("validFrom", validFrom),
    ...time("validUntil", validUntil),
    ...(ttlMs === undefined ? {} : { expiration: { case: "ttl", value: durationFromMs(ttlMs) } }),
    ...(expireTime === undefined
      ? {}
      : { expiration: { case: "expireTime", value: timestampFromMs(expireTime) } }),
  };
}

function importInit(draft: ImportedDraft): MessageInitShape<typeof MemorySchema> {
  const { sessionPosition, supersededBy, createTime, updateTime, ...given } = draft;
  return {
    ...memoryInit(given),
    state: State[draft.state],
    sessionPosition,
    supersededBy,
    ...(createTime === undefined ? {} : { createTime: timestampFromMs(createTime) }),
    ...(updateTime === undefined ? {} : { updateTime: timestampFromMs(updateTime) }),
  };
}

function pathOf(field: DraftField): string {
  return field === "ttlMs" ? "ttl" : field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function filterInit(filter: MemoryFilter): MessageInitShape<typeof MemoryFilterSchema> {
  const {
    states,
    kinds,
    tagsAny,
    tagsAll,
    tagsNone,
    metadata,
    createTime,
    eventTime,
    lastAccessTime,
    asOf: _beside,
    ...same
  } = filter;
  const lists = { tagsAny, tagsAll, tagsNone };
  const range = (name: string, span: MemoryFilter["createTime"]) => {
    if (span === undefined) return {};
    const bounds = Object.entries(span).map(([bound, ms]) => [bound, timestampFromMs(ms as number)]);
    return { [name]: Object.fromEntries(bounds) };
  };
  return {
    ...same,
    states: states.map((state) => State[state]),
    ...(kinds === undefined ? {} : { kinds: kinds.map((kind) => Kind[kind]) }),
    ...Object.fromEntries(Object.entries(lists).flatMap(([name, list]) => (list ? [[name, [...list]]] : []))),
    ...range("createTime", createTime),
    ...range("eventTime", eventTime),
    ...range("lastAccessTime", lastAccessTime),
    ...(metadata === undefined ? {} : { metadata: objectOf(metadata) as ProtoJsonObject }),
  };
}

function asOfInit({ asOf }: MemoryFilter) {
  return asOf === undefined ? {} : { asOf: timestampFromMs(asOf) };
}

/** The object that has exactly these scalars; see metadataTokens. */
function objectOf(tokens: readonly string[]): JsonObject {
  const whole: Record<string, Json> = {};
  for (const token of tokens) {
    const [path, value] = readToken(token);
    let place = whole;
    for (const key of path.slice(0, -1)) {
      place[key] ??= {};
      place = place[key] as Record<string, Json>;
    }
    place[path.at(-1) ?? ""] = value;
  }
  return whole;
}

/** `]=` may stand in a key too: the border is where the left side is JSON. */
function readToken(token: string): readonly [string[], Json] {
  for (let border = token.indexOf("]="); border >= 0; border = token.indexOf("]=", border + 1)) {
    try {
      return [
        JSON.parse(token.slice(0, border + 1)) as string[],
        JSON.parse(token.slice(border + 2)) as Json,
      ];
    } catch {
      // No match: the key continues.
    }
  }
  throw new Error(`no token: ${token}`);
}
