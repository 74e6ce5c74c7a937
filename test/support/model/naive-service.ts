import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import { analyzePrompt } from "../../../src/domain/cache/analysis.ts";
import type { CacheEntry } from "../../../src/domain/cache/entry.ts";
import type { EvictionPolicy } from "../../../src/domain/cache/eviction.ts";
import { type GuardReason, guardPrompts } from "../../../src/domain/cache/guard.ts";
import {
  compareStrictness,
  DEFAULT_STRICTNESS,
  type GuardStrictness,
} from "../../../src/domain/cache/guard-strictness.ts";
import { knowledgeDigest } from "../../../src/domain/cache/invalidation.ts";
import { decideSemantic, isTooOld } from "../../../src/domain/cache/matching.ts";
import { cachePolicyEtag, type StoredCachePolicy } from "../../../src/domain/cache/policy.ts";
import { type CacheScope, cacheEntryId, scopeFingerprint } from "../../../src/domain/cache/scope.ts";
import { dot } from "../../../src/domain/embedding/vector.ts";
import {
  cacheEntryNotFound,
  guardTooLoose,
  invalidField,
  memoryAlreadyActive,
  memoryNotFound,
  RecollectError,
  revisionNotFound,
} from "../../../src/domain/errors.ts";
import { bm25 } from "../../../src/domain/memory/bm25.ts";
import { changesLost, type FeedPosition, type MemoryChange } from "../../../src/domain/memory/changes.ts";
import { EVERY_STATE } from "../../../src/domain/memory/filter.ts";
import {
  defaultOnDuplicate,
  duplicateKey,
  etagOf,
  indexedText,
  isExpired,
  type Memory,
  recordOf,
  type StoredMemory,
  textKey,
} from "../../../src/domain/memory/memory.ts";
import { neighborFilter } from "../../../src/domain/memory/neighbors.ts";
import { type Candidate, rank } from "../../../src/domain/memory/ranking.ts";
import { recalledSince } from "../../../src/domain/memory/recall-loop.ts";
import { type RevisedMemory, revisedMemory } from "../../../src/domain/memory/revision.ts";
import { guardContent } from "../../../src/domain/memory/write-guard.ts";
import { termsOf } from "../../../src/domain/text/terms.ts";
import { digest } from "../../../src/lib/digest.ts";
import type { CacheStats } from "../../../src/ports/cache/cache-store.ts";
import type { Embedder } from "../../../src/ports/embedding/embedder.ts";
import type { IdempotentRequest } from "../../../src/ports/idempotency.ts";
import type { ImportedMemory } from "../../../src/ports/memory/transfer.ts";
import type { NewMemory, RefusedMemory } from "../../../src/ports/memory/writer.ts";
import { DAY } from "../builders.ts";
import { findEntry, findNearest } from "../cache-lookups.ts";
import { ENGLISH } from "../english.ts";
import { STATES } from "../random-memories.ts";
import type { Stores } from "../reference/backend.ts";
import {
  type Answer,
  type ImportStep,
  type Scored,
  type Shown,
  shownEntry,
  shownExport,
  shownMemory,
  shownRevision,
} from "./answers.ts";
import type { CacheScopeChoice, Draft, ImportedDraft, LookupOptions, OperationInput } from "./operations.ts";

/** The dependencies of the naive service. */
export interface NaiveContext {
  readonly stores: Stores;
  readonly embedder: Embedder;
  readonly now: number;
  /** Maps `t1` and `t2` to tenants that are unique in the store under test. */
  readonly tenantOf: (tenant: "t1" | "t2") => string;
  readonly cache: {
    readonly maxEntries: number;
    readonly policy: EvictionPolicy;
    readonly defaultTtlMs: number;
    readonly similarityThreshold: number;
    readonly alignedThreshold: number;
  };
}

/** An operation, with the etag and the request_id that it is handed in with. */
export interface Call {
  readonly input: OperationInput;
  /** Empty: whatever it is. */
  readonly etag: string;
  readonly requestId?: string;
}

/** The naive service returns all matches of a search; the comparison applies the limit. */
export const WHOLE = 100_000;

/**
 * The use cases over any stores, as simple as possible: over the reference it computes the expected answers, over
 * a store under test what that store makes of the same calls of its ports. A search counts no accesses yet: which
 * memories are on its page is for the comparison to say; see countFound.
 */
export async function naiveAnswer(context: NaiveContext, call: Call): Promise<Answer> {
  const { stores, now } = context;
  const { input } = call;
  const scope: NamespaceKey = { tenant: context.tenantOf(input.at.tenant), namespace: input.at.namespace };
  const { namespace } = scope;
  const request = requestOf(scope, call, now);
  const options = { now, ...(request === undefined ? {} : { request }) };
  const etag = call.etag === "" ? {} : { etag: call.etag };
  const plain = (value: unknown): Answer => ({ kind: "plain", value });

  switch (input.op) {
    case "create": {
      const items = await Promise.all(
        input.drafts.map((draft) => newMemory(context, draft, input.onDuplicate)),
      );
      const outcomes = await stores.memories.writer.create(scope, items, options);
      const shown = outcomes.map((outcome) => {
        if (outcome.kind === "refused") return { refused: outcome.error.reason };
        const { kind, memory, ...rest } = outcome;
        // A later item may have been a duplicate of it.
        const last = outcomes.findLast((one) => one.kind !== "refused" && one.memory.id === memory.id);
        return {
          [kind]: shownMemory(last?.kind === "refused" ? memory : (last?.memory ?? memory), namespace),
          ...rest,
        };
      });
      const [first] = outcomes;
      if (input.single && first?.kind === "refused") throw first.error;
      return plain(input.single ? shown[0] : shown);
    }
    case "update": {
      const { id } = input.patch;
      const [current] = await stores.memories.reader.get(scope, [id], now);
      if (current === undefined) throw memoryNotFound(namespace, id);
      if (current.state !== "ACTIVE") {
        const done = request && (await stores.memories.writer.replayReplace(scope, id, { now, request }));
        if (done !== undefined) return plain(shownMemory(done, namespace));
        throw new RecollectError("MEMORY_NOT_ACTIVE", `memory ${id} is not active`);
      }
      const { onDuplicate: _, ...replacement } = await prepared(context, corrected(current, input, now));
      const expected = call.etag === "" ? current.etag : call.etag;
      return plain(
        shownMemory(await stores.memories.writer.replace(scope, expected, replacement, options), namespace),
      );
    }
    case "restore": {
      const { id } = input;
      const [current] = await stores.memories.reader.get(scope, [id], now);
      if (current === undefined) throw memoryNotFound(namespace, id);
      let content: Content;
      try {
        content = await restored(context, scope, current, call);
      } catch (refusal) {
        const done = request && (await stores.memories.writer.replayReplace(scope, id, { now, request }));
        if (done !== undefined) return plain(shownMemory(done, namespace));
        throw refusal;
      }
      const { onDuplicate: _, ...replacement } = await prepared(context, content);
      const written = await stores.memories.writer.replace(scope, current.etag, replacement, {
        ...options,
        change: "RESTORED",
      });
      return plain(shownMemory(written, namespace));
    }
    case "revisions": {
      const { id, pageSize: limit } = input;
      const pages: Shown[][] = [];
      for (let before: number | undefined; ; ) {
        const page = await stores.memories.revisions.list(scope, id, {
          ...{ limit, maxBytes: Number.MAX_SAFE_INTEGER, now },
          ...(before === undefined ? {} : { before }),
        });
        if (page === undefined) throw memoryNotFound(namespace, id);
        pages.push(page.revisions.map((revision) => shownRevision(revision, namespace)));
        before = page.revisions.at(-1)?.number;
        if (!page.more) return plain(pages);
      }
    }
    case "delete":
      await stores.memories.writer.delete(scope, input.id, { ...options, ...etag });
      return plain("deleted");
    case "purge":
      return plain(
        input.force
          ? await stores.memories.purge.run(scope, input.filter, options)
          : await stores.memories.reader.count(scope, input.filter, now),
      );
    case "import":
      return plain(await importAll(context, scope, input.messages));
    case "access":
      stores.memories.accessCounts.add(scope, input.ids, now);
      return plain("counted");
    case "export":
      return plain(await exportAll(context, scope, input));
    case "changes":
      return plain(await changesOf(context, scope, input.pageSize));
    case "get": {
      const found = await getAccessed(context, scope, input.ids);
      const [first] = found;
      if (input.single) {
        if (first === undefined) throw memoryNotFound(namespace, input.ids[0] ?? "");
        return plain(shownMemory(first, namespace));
      }
      return plain({
        memories: found.flatMap((memory) => (memory === undefined ? [] : [shownMemory(memory, namespace)])),
        notFoundIds: input.ids.filter((_, index) => found[index] === undefined),
      });
    }
    case "list": {
      const { filter, pageSize } = input;
      return plain(
        await pagesOf(pageSize, async (last: Memory | undefined, limit) =>
          stores.memories.reader.list(scope, {
            filter,
            limit,
            now,
            ...(last === undefined ? {} : { after: last }),
          }),
        ).then((pages) => pages.map((page) => page.map((memory) => shownMemory(memory, namespace)))),
      );
    }
    case "search":
      return { kind: "search", ...(await search(context, scope, input)) };
    case "namespaces":
      return plain(
        await pagesOf(input.pageSize, (last: string | undefined, limit) =>
          stores.namespaces.list(scope.tenant, { after: last ?? "", limit }),
        ),
      );
    case "namespaceStats":
      return { kind: "counts", ...(await stores.namespaces.counts(scope)) };
    case "deleteNamespace":
      return {
        kind: "counts",
        ...(input.force
          ? await stores.namespaces.delete(scope, options)
          : await stores.namespaces.counts(scope)),
      };
    case "storeEntry": {
      const { prompt, response, tags, metadata, ttlMs } = input;
      const fingerprint = scopeFingerprint(cacheScopeOf(input.scope));
      const content = {
        id: cacheEntryId(scope, fingerprint, prompt),
        fingerprint,
        model: input.scope.model,
        knowledge: knowledgeDigest(cacheScopeOf(input.scope).knowledgeVersion),
        prompt,
        response,
        tags,
        metadata,
        createTime: now,
        expireTime: now + (ttlMs ?? context.cache.defaultTtlMs),
      };
      const entry: CacheEntry = {
        ...content,
        analysis: analyzePrompt(prompt),
        etag: digest(JSON.stringify(content)),
      };
      const vector = await embed(context, prompt);
      const { maxEntries, policy } = context.cache;
      const stored = await stores.cache.put(scope, entry, { ...options, vector, maxEntries, policy });
      if (stored.refused !== undefined) return plain({ notStored: stored.refused });
      return plain({
        entry: shownEntry({ ...stored.entry, response: "" }, namespace),
        replaced: stored.replaced,
      });
    }
    case "getEntry": {
      const id = cacheEntryId(scope, scopeFingerprint(cacheScopeOf(input.scope)), input.prompt);
      const entry = await findEntry(stores.cache, scope, id, now);
      if (entry === undefined) throw cacheEntryNotFound(namespace, id);
      return plain(shownEntry(entry, namespace));
    }
    case "deleteEntry": {
      const id = cacheEntryId(scope, scopeFingerprint(cacheScopeOf(input.scope)), input.prompt);
      await stores.cache.delete(scope, id, { ...options, ...etag });
      return plain("deleted");
    }
    case "invalidate": {
      const { model, tagsAny, knowledgeVersion, validateOnly } = input;
      const filter = {
        ...(model === undefined ? {} : { model }),
        ...(tagsAny === undefined ? {} : { tagsAny }),
        ...(knowledgeVersion === undefined ? {} : { knowledge: knowledgeDigest(knowledgeVersion) }),
      };
      const wholeNamespace = Object.keys(filter).length === 0;
      if (validateOnly) {
        return plain({ count: await stores.cache.countMatching(scope, filter, now), wholeNamespace });
      }
      await stores.cache.invalidate(scope, filter, options);
      return plain({ wholeNamespace });
    }
    case "listEntries": {
      const { model, tagsAny, pageSize } = input;
      const pages = await pagesOf(pageSize, async (last: CacheEntry | undefined, limit) => {
        const page = await stores.cache.list(scope, {
          limit,
          now,
          maxBytes: Number.MAX_SAFE_INTEGER,
          ...(model === undefined ? {} : { model }),
          ...(tagsAny === undefined ? {} : { tagsAny }),
          ...(last === undefined ? {} : { after: last }),
        });
        return page.entries;
      });
      return plain(pages.map((page) => page.map((entry) => shownEntry(entry, namespace))));
    }
    case "cacheStats":
      return plain(shownStats(await stores.cache.stats(scope, now), context.cache.maxEntries));
    case "getPolicy":
      return plain(shownPolicy(await stores.cachePolicies.get(scope)));
    case "updatePolicy": {
      const { guard } = input;
      const current = await stores.cachePolicies.get(scope);
      const policy = {
        ...(guard === undefined ? {} : { guard }),
        updateTime: Math.max(now, (current.updateTime ?? 0) + 1),
      };
      const expected = call.etag === "" ? cachePolicyEtag(current) : call.etag;
      return plain(shownPolicy(await stores.cachePolicies.replace(scope, expected, policy, options)));
    }
    case "lookup":
      return plain(await lookup(context, scope, input.prompt, input.scope, input.options));
  }
}

async function changesOf(
  { stores }: NaiveContext,
  scope: NamespaceKey,
  pageSize: number,
): Promise<readonly string[]> {
  const changes: MemoryChange[] = [];
  let position: FeedPosition = { incarnation: "", sequence: 0, digest: "" };
  for (let count = pageSize; count > 0; ) {
    const read = await stores.memories.changes.read(scope, position, pageSize);
    if (read.kind === "lost") throw changesLost(read.cause);
    count = read.changes.length;
    changes.push(...read.changes);
    position = read.position;
  }
  return shownChanges(changes);
}

/**
 * Without removals of expired memories, which come whenever a store makes them; those that were deleted at one time by a
 * purge are in no defined order.
 */
export function shownChanges(changes: readonly Omit<MemoryChange, "sequence">[]): readonly string[] {
  const shown = changes
    .filter(({ kind }) => kind !== "EXPIRED")
    .map(({ kind, memoryId, time }) => ({ kind, memoryId, time }));
  for (let first = 0, end = 1; first < shown.length; first = end, end += 1) {
    const [kind, time] = [shown[first]?.kind, shown[first]?.time];
    while (kind === "DELETED" && shown[end]?.kind === kind && shown[end]?.time === time) end += 1;
    const ordered = shown.slice(first, end).sort((a, b) => (a.memoryId < b.memoryId ? -1 : 1));
    shown.splice(first, ordered.length, ...ordered);
  }
  return shown.map(({ kind, memoryId, time }) => `${kind} ${memoryId} ${time}`);
}

/** Number of unexpired memories and entries of a namespace: the minimum of its counts. */
export async function liveCounts(
  { stores, now, tenantOf }: NaiveContext,
  at: OperationInput["at"],
): Promise<{ readonly memories: number; readonly cacheEntries: number }> {
  const scope = { tenant: tenantOf(at.tenant), namespace: at.namespace };
  return {
    memories: await stores.memories.reader.count(scope, { states: STATES }, now),
    cacheEntries: (await stores.cache.stats(scope, now)).entryCount,
  };
}

/** Counts what a caller does who has found these memories on the page of a search. */
export function countFound(
  { stores, now, tenantOf }: NaiveContext,
  { at }: OperationInput,
  found: readonly Scored[],
): void {
  const scope = { tenant: tenantOf(at.tenant), namespace: at.namespace };
  stores.memories.accessCounts.add(
    scope,
    found.map(({ id }) => id),
    now,
  );
}

/** The etag that an update or a deletion is about, read a moment before; empty when there is nothing. */
export async function currentEtag(context: NaiveContext, input: OperationInput): Promise<string> {
  const { stores, now, tenantOf } = context;
  const scope = { tenant: tenantOf(input.at.tenant), namespace: input.at.namespace };
  if (input.op === "deleteEntry") {
    const id = cacheEntryId(scope, scopeFingerprint(cacheScopeOf(input.scope)), input.prompt);
    return (await findEntry(stores.cache, scope, id, now))?.etag ?? "";
  }
  if (input.op === "updatePolicy") return cachePolicyEtag(await stores.cachePolicies.get(scope));
  const id =
    input.op === "update" ? input.patch.id : input.op === "delete" || input.op === "restore" ? input.id : "";
  const [memory] = await getAccessed(context, scope, [id]);
  return memory?.etag ?? "";
}

async function getAccessed(
  { stores, now }: NaiveContext,
  scope: NamespaceKey,
  ids: readonly string[],
): Promise<(StoredMemory | undefined)[]> {
  const found = await stores.memories.reader.get(scope, ids, now);
  stores.memories.accessCounts.add(
    scope,
    found.flatMap((memory) => memory?.id ?? []),
    now,
  );
  return found;
}

/** Imports message by message, and checks that the store imports exactly the ids that do not exist. */
async function importAll(
  context: NaiveContext,
  scope: NamespaceKey,
  messages: readonly (readonly ImportedDraft[])[],
): Promise<readonly ImportStep[]> {
  const { stores, now } = context;
  const steps: ImportStep[] = [];
  for (const drafts of messages) {
    const refusedHere = drafts.flatMap((draft, index) => (isRefusedImport(draft, now) ? [index] : []));
    const accepted = drafts.filter((draft) => !isRefusedImport(draft, now));
    const current = accepted.filter((draft) => !isExpired(draft, now));
    const items = await Promise.all(current.map((draft) => importedMemory(context, draft)));
    const there = await stores.memories.reader.exist(
      scope,
      items.map(({ memory }) => memory.id),
      now,
    );
    const outcomes = items.length === 0 ? [] : await stores.memories.importer.import(scope, items, { now });
    for (const [index, outcome] of outcomes.entries()) {
      if (there[index] === true && outcome !== "skipped") throw new Error(`import ${index} was there`);
    }
    const imported = outcomes.filter((outcome) => outcome === "imported").length;
    const before = steps.at(-1);
    steps.push({
      imported: (before?.imported ?? 0) + imported,
      skipped: (before?.skipped ?? 0) + current.length - imported,
      expired: (before?.expired ?? 0) + accepted.length - current.length,
      refused: (before?.refused ?? 0) + refusedHere.length,
      refusedHere,
    });
  }
  return steps;
}

/** An import takes no ttl, because it has no start time for it, and no update time before the create time. */
function isRefusedImport({ ttlMs, createTime, updateTime }: ImportedDraft, now: number): boolean {
  return ttlMs !== undefined || (updateTime !== undefined && updateTime < (createTime ?? now));
}

async function importedMemory(context: NaiveContext, draft: ImportedDraft): Promise<ImportedMemory> {
  const { ttlMs: _, withoutVector, sessionPosition, createTime = context.now, ...given } = draft;
  const content = { updateTime: createTime, ...given, createTime };
  const { onDuplicate: __, vector, ...ready } = await prepared(context, content);
  return {
    ...ready,
    memory: { ...ready.memory, sessionPosition },
    ...(withoutVector === true || vector === undefined ? {} : { vector }),
  };
}

/** The pages one behind the other: where a page ends for its bytes is the store's business. */
async function exportAll(
  { stores, now }: NaiveContext,
  scope: NamespaceKey,
  { filter = EVERY_STATE, pageSize, maxBytes }: OperationInput & { readonly op: "export" },
): Promise<readonly Shown[]> {
  const walked: Memory[] = [];
  for (;;) {
    const after = walked.at(-1);
    const page = await stores.memories.exporter.listOldest(scope, {
      filter,
      limit: pageSize,
      maxBytes,
      now,
      ...(after === undefined ? {} : { after }),
    });
    if (page.length > pageSize) throw new Error(`a page of ${page.length} memories where ${pageSize} may be`);
    if (page.length === 0) return walked.map(shownExport);
    walked.push(...page);
  }
}

/** Which of both removed an entry that had expired and was invalidated depends on when its space was freed. */
function shownStats({ details, ...stats }: CacheStats, maxEntries: number): unknown {
  const { removed, guardReasons, missReasons } = details;
  const { expired, invalidated, quarantined } = removed;
  return { ...stats, maxEntries, removed: expired + invalidated, quarantined, guardReasons, missReasons };
}

export function cacheScopeOf({ model, systemPrompt }: CacheScopeChoice): CacheScope {
  return {
    model,
    systemPrompt,
    history: [],
    parameters: {},
    tools: [],
    responseFormat: {},
    locale: "",
    // The same, so that there are not more scopes.
    knowledgeVersion: systemPrompt,
    sharing: "tenant",
  };
}

function requestOf(
  scope: NamespaceKey,
  { input, etag, requestId }: Call,
  now: number,
): IdempotentRequest | undefined {
  if (requestId === undefined) return undefined;
  const rpc = input.op === "create" ? `create ${input.single}` : input.op;
  return {
    key: digest(scope.tenant, rpc, requestId),
    bodyHash: digest(JSON.stringify([input, etag])),
    expireTime: now + DAY,
  };
}

async function embed({ embedder }: NaiveContext, text: string): Promise<Float32Array> {
  const [embedded] = await embedder.embed([text], new AbortController().signal);
  if (embedded === undefined) throw new Error("the embedder gave nothing");
  return embedded.vector;
}

async function newMemory(
  context: NaiveContext,
  draft: Draft,
  onDuplicate: NewMemory["onDuplicate"] | undefined,
): Promise<NewMemory | RefusedMemory> {
  const { now } = context;
  const { ttlMs, expireTime, withoutVector, ...given } = draft;
  if (expireTime !== undefined && expireTime <= now) {
    return { refusal: invalidField("memory.expire_time", "must be in the future") };
  }
  const { id, supersedes } = draft;
  if (supersedes?.includes(id) === true) return { refusal: invalidField("memory.supersedes", "own id") };
  if (supersedes !== undefined && onDuplicate !== undefined && onDuplicate !== "ALLOW") {
    return { refusal: invalidField("on_duplicate", "must be ALLOW or unset") };
  }
  const ends = ttlMs === undefined ? expireTime : now + ttlMs;
  const since = recalledSince(draft, onDuplicate, { now, windowMs: RECALL_LOOP_MS });
  const memory = {
    state: "ACTIVE" as const,
    ...given,
    ...flagsOf(draft),
    ...(ends === undefined ? {} : { expireTime: ends }),
    createTime: now,
    updateTime: now,
    supersededBy: "",
  };
  const ready = await prepared(context, memory);
  const { vector: _, ...withoutIt } = ready;
  return {
    ...(withoutVector === true ? withoutIt : ready),
    onDuplicate: supersedes === undefined ? (onDuplicate ?? defaultOnDuplicate(draft.kind)) : "ALLOW",
    ...(since === undefined ? {} : { recalledSince: since }),
  };
}

/** The default of the server. */
const RECALL_LOOP_MS = 3_600_000;

function flagsOf(content: Pick<Memory, "text" | "metadata">): Pick<Memory, "flags"> {
  const { flags } = guardContent(content, "FLAG");
  return flags.length === 0 ? {} : { flags };
}

type Content = Omit<Memory, "etag" | "sessionPosition" | "embedding">;

/** The memory as it is after a correction. */
function corrected(
  {
    etag: _etag,
    sessionPosition: _position,
    embedding: _embedding,
    access: _access,
    ...current
  }: StoredMemory,
  { patch, fields }: OperationInput & { readonly op: "update" },
  now: number,
): Content {
  const updateTime = Math.max(now, current.updateTime + 1);
  const changed: Record<string, unknown> = { ...current, updateTime };
  for (const field of fields) {
    const name = field === "ttlMs" ? "expireTime" : field;
    delete changed[name];
    if (patch[field] === undefined) continue;
    changed[name] = field === "ttlMs" ? updateTime + (patch.ttlMs ?? 0) : patch[field];
  }
  if (fields.includes("text") || fields.includes("metadata")) {
    delete changed["flags"];
    Object.assign(changed, flagsOf(changed as unknown as Content));
  }
  return changed as unknown as Content;
}

/** The content of a revision, or the present one, of a memory that is active again. */
async function restored(
  { stores, now }: NaiveContext,
  scope: NamespaceKey,
  current: StoredMemory,
  { input, etag }: Call,
): Promise<Content> {
  const { id } = current;
  const revision = input.op === "restore" ? input.revision : 0;
  if (etag !== "" && etag !== current.etag)
    throw new RecollectError("ETAG_MISMATCH", `memory ${id} has changed`);
  const all = { limit: 1000, maxBytes: Number.MAX_SAFE_INTEGER, now };
  const kept = await stores.memories.revisions.list(scope, id, all);
  const found = kept?.revisions.find(({ number }) => number === revision)?.memory;
  if (revision === 0 && current.state === "ACTIVE") throw memoryAlreadyActive(id);
  if (revision !== 0 && found === undefined) throw revisionNotFound(id, revision);
  const content: RevisedMemory = found ?? revisedMemory(recordOf(current));
  if (isExpired(content, now)) throw invalidField("revision", "its expire_time has passed");
  const { etag: _etag, sessionPosition: _position, ...others } = content;
  return {
    ...others,
    state: "ACTIVE",
    supersededBy: "",
    updateTime: Math.max(now, current.updateTime + 1),
  };
}

async function prepared(context: NaiveContext, content: Content): Promise<NewMemory> {
  const memory: Memory = {
    ...content,
    sessionPosition: 0,
    etag: etagOf(content),
    embedding: { ...context.embedder.identity, state: "READY", truncated: false },
  };
  return {
    memory,
    duplicateKey: duplicateKey(memory),
    textKey: textKey(memory),
    onDuplicate: "ALLOW",
    terms: termsOf(indexedText(memory)),
    vector: await embed(context, indexedText(memory)),
  };
}

/** Every page until one is not full, as a caller who asks for one row more than the page would learn. */
async function pagesOf<Row>(
  size: number,
  read: (last: Row | undefined, limit: number) => Promise<readonly Row[]>,
): Promise<(readonly Row[])[]> {
  const pages: (readonly Row[])[] = [];
  for (let last: Row | undefined; ; ) {
    const rows = await read(last, size + 1);
    const page = rows.slice(0, size);
    pages.push(page);
    last = page.at(-1);
    if (rows.length <= size || last === undefined) return pages;
  }
}

/** All candidates of the store, scored and ordered. */
async function search(
  context: NaiveContext,
  scope: NamespaceKey,
  input: OperationInput & { readonly op: "search" },
): Promise<{ readonly found: readonly Scored[]; readonly ranked: readonly Scored[] }> {
  const { stores, now } = context;
  const { query, filter, mode } = input;
  let text: string;
  let vector: Float32Array | undefined;
  if ("text" in query) {
    text = query.text;
    vector = await embed(context, text);
  } else {
    const [memory] = await stores.memories.reader.get(scope, [query.like], now);
    if (memory === undefined) throw memoryNotFound(scope.namespace, query.like);
    text = indexedText(memory);
    [vector] = await stores.memories.search.vectors(scope, [query.like]);
  }
  const terms = mode === "VECTOR" ? [] : [...new Set(termsOf(text))];
  const wanted = mode === "KEYWORD" ? undefined : vector;
  if (terms.length === 0 && wanted === undefined) return { found: [], ranked: [] };
  const {
    byVector: nearest,
    byKeyword: containing,
    corpus,
  } = await stores.memories.search.search(
    scope,
    {
      filter,
      limit: WHOLE,
      ...(wanted === undefined ? {} : { vector: wanted }),
      ...(terms.length === 0 ? {} : { terms }),
    },
    now,
  );
  const candidates = new Map<string, Candidate>(nearest.map((one) => [one.id, one]));
  for (const { document, ...fields } of containing) {
    candidates.set(fields.id, {
      ...fields,
      ...candidates.get(fields.id),
      bm25: bm25(terms, corpus)(document),
    });
  }
  if ("like" in query) candidates.delete(query.like);
  const ranked = rank([...candidates.values()], { ...input, now });
  const ids = ranked.map(({ candidate }) => candidate.id);
  const memories = await stores.memories.reader.get(scope, ids, now);
  const vectors = await stores.memories.search.vectors(scope, ids);
  const beside =
    input.neighbors === 0
      ? []
      : await stores.memories.reader.neighbors(scope, ids, {
          ...{
            filter: neighborFilter(filter),
            count: input.neighbors,
            maxBytes: Number.MAX_SAFE_INTEGER,
            now,
          },
        });
  const scored = ranked.map(({ candidate, score }, index): Scored => {
    const [memory, own] = [memories[index], vectors[index]];
    if (memory === undefined) throw new Error(`memory ${candidate.id} was found and is not there`);
    return {
      memory: shownMemory(memory, scope.namespace),
      neighbors: (beside[index] ?? []).map((one) => shownMemory(one, scope.namespace)),
      id: candidate.id,
      score,
      ...(wanted === undefined || own === undefined ? {} : { similarity: dot(wanted, own) }),
      ...(candidate.bm25 === undefined ? {} : { bm25: candidate.bm25 }),
    };
  });
  const { minSimilarity } = input;
  const found = scored.filter(
    ({ similarity }) =>
      minSimilarity === undefined || (similarity !== undefined && similarity >= minSimilarity),
  );
  return { found, ranked: scored };
}

/** The policy, and the strictness that applies by it. */
function shownPolicy({ guard, updateTime }: StoredCachePolicy): object {
  return {
    guard: guard ?? "server's",
    effective: guard ?? DEFAULT_STRICTNESS,
    ...(updateTime === undefined ? {} : { updateTime }),
  };
}

/** The outcome of a lookup: the response and how it matched, or the reason of a miss and what explains it. */
async function lookup(
  context: NaiveContext,
  scope: NamespaceKey,
  prompt: string,
  choice: CacheScopeChoice,
  { strategy = "HYBRID", threshold, maxAgeMs, shadow, guard }: LookupOptions,
): Promise<unknown> {
  const { stores, now } = context;
  const allowed = (await stores.cache.lookup(scope, {}, now)).policy.guard ?? DEFAULT_STRICTNESS;
  const strictness: GuardStrictness = guard ?? allowed;
  if (compareStrictness(strictness, allowed) < 0) throw guardTooLoose(strictness, allowed);
  const fingerprint = scopeFingerprint(cacheScopeOf(choice));
  const promptId = cacheEntryId(scope, fingerprint, prompt);
  const policy = {
    threshold: context.cache.similarityThreshold,
    alignedThreshold: context.cache.alignedThreshold,
    strictness,
    promptId,
    ...(threshold === undefined ? {} : { floor: threshold }),
    ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
  };
  const exact = strategy === "SEMANTIC" ? undefined : await findEntry(stores.cache, scope, promptId, now);
  const miss = (reason: string, nearest = false, guardReasons: readonly GuardReason[] = []): unknown => {
    const refused = reason === "GUARD" ? { guardReasons } : {};
    stores.cache.countLookup(scope, { kind: "MISS", reason, ...refused }, now);
    return { miss: reason, nearest, guardReasons, strictness };
  };
  const hit = (kind: "EXACT" | "SEMANTIC", entry: CacheEntry): unknown => {
    if (shadow) return miss("SHADOW", true);
    stores.cache.countLookup(scope, { kind, id: entry.id }, now);
    return { [kind]: shownEntry(entry, scope.namespace), ageMs: now - entry.createTime };
  };
  if (exact !== undefined && !isTooOld(exact, policy, now)) return hit("EXACT", exact);
  if (strategy === "EXACT") return miss(exact === undefined ? "NOT_FOUND" : "TOO_OLD");
  const vector = await embed(context, prompt);
  const nearest = await findNearest(stores.cache, scope, { fingerprint, vector, limit: 3 }, now);
  const decision = decideSemantic(nearest, policy, now, ({ analysis }) =>
    guardPrompts(analyzePrompt(prompt), analysis, ENGLISH),
  );
  return decision.kind === "hit"
    ? hit("SEMANTIC", decision.entry)
    : miss(decision.reason, nearest.length > 0, decision.guardReasons);
}
