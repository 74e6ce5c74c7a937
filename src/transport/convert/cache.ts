import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type CacheEntrySchema,
  type CachePrompt,
  type GetCacheStatsResponseSchema,
  type LookupCacheResponseSchema,
  LookupCacheResponse_Miss_Reason as MissReasonProto,
  type CacheScope as ProtoCacheScope,
  GuardReason as ProtoGuardReason,
  StoreCacheEntryResponse_NotStoredReason as ProtoNotStored,
  CacheStrategy as ProtoStrategy,
  type CacheUsage as ProtoUsage,
} from "#gen/recollect/v1/cache_pb.js";
import type { CacheEntry, CacheUsage } from "../../domain/cache/entry.ts";
import { type CacheScope, type ChatTurn, sharingOf } from "../../domain/cache/scope.ts";
import type { CacheDetails } from "../../domain/cache/statistics.ts";
import type { Unfit } from "../../domain/cache/storable.ts";
import { invalidField } from "../../domain/errors.ts";
import type { CacheStats, PutRefusal } from "../../ports/cache/cache-store.ts";
import type { CacheOutcome } from "../../services/cache/lookup-cache.ts";
import type { CacheStrategy } from "../../services/cache/prepared-lookup.ts";
import { MAX_JSON_BYTES, MAX_SCOPE_BYTES } from "../bounds/limits.ts";
import { fromGuard } from "./cache-policy.ts";
import { boundedJson, defined, fromDurationMs, fromMs, nonEmptyObject, toDurationMs } from "./common.ts";

/** The prompt, and the conversation before it. */
export interface Prompt {
  readonly text: string;
  readonly history: readonly ChatTurn[];
}

const MAX_CHAT_BYTES = 256 * 1024;

/** Throws REQUEST_INVALID when the messages of a chat are too large together. */
export function toPrompt(prompt: CachePrompt): Prompt {
  const { case: kind, value } = prompt.prompt;
  if (kind === "text") return { text: value, history: [] };
  if (kind === undefined) throw new TypeError("a required oneof is missing after validation");
  const messages = value.messages.map(
    ({ role, content, name, extra }, index): ChatTurn => ({
      role,
      content,
      name,
      extra: boundedJson(
        extra,
        `prompt.chat.messages[${index}].extra`,
        MAX_JSON_BYTES["recollect.v1.ChatMessage.extra"],
      ),
    }),
  );
  const bytes = messages.reduce((sum, message) => sum + Buffer.byteLength(message.content), 0);
  if (bytes > MAX_CHAT_BYTES) {
    throw invalidField(
      "prompt.chat.messages",
      `contents take ${bytes} bytes; at most ${MAX_CHAT_BYTES} are allowed`,
    );
  }
  const last = messages.at(-1);
  if (last === undefined) throw new TypeError("a chat has no messages after validation");
  // Name and extras of the last message (such as an image) change the answer like the history does.
  return { text: last.content, history: [...messages.slice(0, -1), { ...last, content: "" }] };
}

/** `principal`: that of the caller. Throws REQUEST_INVALID when a part of the scope, or the whole scope, is too large. */
export function toCacheScope(
  scope: ProtoCacheScope,
  history: readonly ChatTurn[],
  principal: string,
): CacheScope {
  const cacheScope = {
    model: scope.model,
    systemPrompt: scope.systemPrompt,
    history,
    parameters: boundedJson(
      scope.parameters,
      "scope.parameters",
      MAX_JSON_BYTES["recollect.v1.CacheScope.parameters"],
    ),
    tools: scope.tools.map((tool, index) =>
      boundedJson(tool, `scope.tools[${index}]`, MAX_JSON_BYTES["recollect.v1.CacheScope.tools"]),
    ),
    responseFormat: boundedJson(
      scope.responseFormat,
      "scope.response_format",
      MAX_JSON_BYTES["recollect.v1.CacheScope.response_format"],
    ),
    locale: scope.locale,
    knowledgeVersion: scope.knowledgeVersion,
    sharing: sharingOf(principal, scope),
  };
  checkSizeTogether(cacheScope);
  return cacheScope;
}

/** Throws REQUEST_INVALID when the JSON of a scope, and the conversation that is part of it, are too large together. */
function checkSizeTogether({ history, parameters, tools, responseFormat }: CacheScope): void {
  if (history.length === 0 && tools.length === 0) return;
  const bytes = [
    ...history.flatMap(({ content, extra }) => [content, JSON.stringify(extra)]),
    ...[parameters, ...tools, responseFormat].map((json) => JSON.stringify(json)),
  ].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes > MAX_SCOPE_BYTES) {
    throw invalidField(
      "scope",
      `tools, conversation, parameters and response format take ${bytes} bytes; ` +
        `at most ${MAX_SCOPE_BYTES} are allowed together`,
    );
  }
}

export function toStrategy(strategy: ProtoStrategy): CacheStrategy | undefined {
  switch (strategy) {
    case ProtoStrategy.UNSPECIFIED:
      return undefined;
    case ProtoStrategy.HYBRID:
      return "HYBRID";
    case ProtoStrategy.EXACT:
      return "EXACT";
    case ProtoStrategy.SEMANTIC:
      return "SEMANTIC";
  }
}

export function toUsage(usage: ProtoUsage | undefined): CacheUsage | undefined {
  if (usage === undefined) return undefined;
  return {
    promptTokens: usage.promptTokens,
    completionTokens: usage.completionTokens,
    generationMs: toDurationMs(usage.generationTime) ?? 0,
    costUsd: usage.costUsd,
  };
}

export function fromEntry(entry: CacheEntry, namespace: string): MessageInitShape<typeof CacheEntrySchema> {
  const { usage } = entry;
  return {
    id: entry.id,
    namespace,
    prompt: entry.prompt,
    response: entry.response,
    model: entry.model,
    tags: [...entry.tags],
    etag: entry.etag,
    quarantined: entry.feedback?.quarantined ?? false,
    ...defined({
      metadata: nonEmptyObject(entry.metadata),
      usage: usage && {
        promptTokens: usage.promptTokens,
        completionTokens: usage.completionTokens,
        generationTime: fromDurationMs(usage.generationMs),
        costUsd: usage.costUsd,
      },
      createTime: fromMs(entry.createTime),
      expireTime: fromMs(entry.expireTime),
      refreshTime: fromMs(entry.dueTime),
    }),
  };
}

type Outcome = NonNullable<MessageInitShape<typeof LookupCacheResponseSchema>["outcome"]>;
type Miss = CacheOutcome & { readonly kind: "miss" };

export function fromMiss(miss: Miss): Outcome {
  return {
    case: "miss",
    value: {
      reason: MissReasonProto[miss.reason],
      threshold: miss.threshold,
      guardReasons: miss.guardReasons.map((reason) => ProtoGuardReason[reason]),
      guard: fromGuard(miss.guard),
      ...defined({ nearestSimilarity: miss.nearestSimilarity }),
    },
  };
}

export function fromStats(
  stats: CacheStats & { readonly maxEntries: number },
): MessageInitShape<typeof GetCacheStatsResponseSchema> {
  return {
    entryCount: stats.entryCount,
    byteCount: BigInt(stats.byteCount),
    exactHits: BigInt(stats.exactHits),
    semanticHits: BigInt(stats.semanticHits),
    misses: BigInt(stats.misses),
    stores: BigInt(stats.stores),
    evictions: BigInt(stats.evictions),
    maxEntries: stats.maxEntries,
    ...fromDetails(stats.details),
  };
}

function fromDetails({
  missReasons,
  guardReasons,
  saved,
  removed,
  reports,
}: CacheDetails): MessageInitShape<typeof GetCacheStatsResponseSchema> {
  return {
    missesByReason: countsBy(missReasons, MissReasonProto),
    guardRefusals: countsBy(guardReasons, ProtoGuardReason),
    saved: {
      promptTokens: BigInt(saved.promptTokens),
      completionTokens: BigInt(saved.completionTokens),
      ...defined({ generationTime: fromDurationMs(saved.generationMs) }),
      costUsd: saved.costUsd,
    },
    expirations: BigInt(removed.expired),
    invalidations: BigInt(removed.invalidated),
    quarantines: BigInt(removed.quarantined),
    correctReports: BigInt(reports.CORRECT),
    incorrectReports: BigInt(reports.INCORRECT),
    staleReports: BigInt(reports.STALE),
  };
}

/** Counts by the names of an enum, in the order of its values. A name that this version does not know is left out. */
function countsBy<Reason extends number>(
  counts: Readonly<Record<string, number>>,
  reasons: Readonly<Record<string, Reason | string>>,
): { readonly reason: Reason; readonly count: bigint }[] {
  return Object.entries(counts)
    .flatMap(([name, count]) => {
      const reason = reasons[name];
      return typeof reason === "number" ? [{ reason, count: BigInt(count) }] : [];
    })
    .sort((a, b) => a.reason - b.reason);
}

export function fromNotStored(reason: PutRefusal | Unfit): ProtoNotStored {
  return ProtoNotStored[reason];
}
