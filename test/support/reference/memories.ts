import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import { clampSimilarity, dot } from "../../../src/domain/embedding/vector.ts";
import { memoryNotFound, RecollectError } from "../../../src/domain/errors.ts";
import type { StepLimits } from "../../../src/domain/memory/batch-steps.ts";
import { type CorpusStatistics, chooseTerms } from "../../../src/domain/memory/bm25.ts";
import { type ChangeKind, changesAfter, endOfFeed } from "../../../src/domain/memory/changes.ts";
import {
  type DifferingField,
  differingFields,
  mergeDuplicate,
} from "../../../src/domain/memory/duplicate.ts";
import { type MemoryFilter, matchesFilter } from "../../../src/domain/memory/filter.ts";
import { isExpired, type Memory, type StoredMemory } from "../../../src/domain/memory/memory.ts";
import { NEIGHBOR_REACH } from "../../../src/domain/memory/neighbors.ts";
import { isRecalled, MAX_SAME_TEXTS } from "../../../src/domain/memory/recall-loop.ts";
import {
  DEFAULT_MAX_REVISIONS,
  type MemoryRevision,
  revisedMemory,
} from "../../../src/domain/memory/revision.ts";
import { keywordRetrieverPlan } from "../../../src/domain/memory/search-plan.ts";
import { notActive, superseded } from "../../../src/domain/memory/supersession.ts";
import { withinBytes } from "../../../src/domain/page-token.ts";
import type { Memories } from "../../../src/ports/memory/memories.ts";
import type { RankingFields } from "../../../src/ports/memory/search.ts";
import type { ImportedMemory, ImportOutcome } from "../../../src/ports/memory/transfer.ts";
import type {
  CreateOutcome,
  NewMemory,
  RefusedMemory,
  Replacement,
} from "../../../src/ports/memory/writer.ts";
import { countTerms } from "./count-terms.ts";
import {
  appendChange,
  byTime,
  countChange,
  idempotently,
  type ReferenceMemory,
  recordsBeside,
  replay,
  storeRecord,
  type Universe,
  worldKeyOf,
  worldOf,
  writtenDown,
} from "./world.ts";

type Recorded =
  | { readonly kind: "created"; readonly id: string }
  | {
      readonly kind: "duplicate";
      readonly id: string;
      readonly differs: readonly DifferingField[];
      readonly recallLoop?: true;
    }
  | CreateOutcome;

/** The progress of a request to create. */
interface RecordedBatch {
  readonly items: readonly Recorded[];
  readonly isWhole: boolean;
}

/** The reference implementation of Memories, as simple as possible: full scans of lists. */
export function referenceMemories(universe: Universe, maxRevisions = DEFAULT_MAX_REVISIONS): Memories {
  const sizeOf = (value: object): number => Buffer.byteLength(JSON.stringify(value));
  const memoriesIn = (scope: NamespaceKey): readonly ReferenceMemory[] =>
    universe.worlds.get(worldKeyOf(scope))?.memories ?? [];
  const live = (scope: NamespaceKey, now: number): readonly ReferenceMemory[] =>
    memoriesIn(scope).filter(({ memory }) => !isExpired(memory, now));
  const passing = (scope: NamespaceKey, filter: MemoryFilter, now: number): readonly ReferenceMemory[] =>
    memoriesIn(scope).filter((one) => matchesFilter(stored(one), filter, now));
  const find = (scope: NamespaceKey, id: string, now: number): StoredMemory | undefined =>
    live(scope, now)
      .filter(({ memory }) => memory.id === id)
      .map(stored)[0];
  const existing = (scope: NamespaceKey, id: string, now: number): StoredMemory => {
    const memory = find(scope, id, now);
    if (memory === undefined) throw memoryNotFound(scope.namespace, id);
    return memory;
  };
  const removeIds = (scope: NamespaceKey, ids: ReadonlySet<string>): void => {
    const world = worldOf(universe, scope);
    world.memories = world.memories.filter(({ memory }) => !ids.has(memory.id));
  };

  const note = (scope: NamespaceKey, kind: ChangeKind, memoryId: string, now: number): void =>
    appendChange(universe, scope, { kind, memoryId, now });
  /** Removes an expired memory whose id is taken. */
  const freeId = (scope: NamespaceKey, id: string, now: number): void => {
    if (!memoriesIn(scope).some(({ memory }) => memory.id === id)) return;
    note(scope, "EXPIRED", id, now);
    removeIds(scope, new Set([id]));
  };

  const createOne = (scope: NamespaceKey, item: NewMemory | RefusedMemory, now: number): CreateOutcome => {
    if ("refusal" in item) return { kind: "refused", error: item.refusal };
    const { id, sessionId } = item.memory;
    if (find(scope, id, now) !== undefined) {
      return { kind: "refused", error: new RecollectError("MEMORY_ALREADY_EXISTS", `memory ${id} exists`) };
    }
    const duplicate = live(scope, now)
      .filter((one) => one.duplicateKey === item.duplicateKey && one.memory.state === "ACTIVE")
      .reduce<ReferenceMemory | undefined>(
        (oldest, one) => (oldest === undefined || byTime(one.memory, oldest.memory) > 0 ? one : oldest),
        undefined,
      );
    if (duplicate !== undefined && item.onDuplicate === "RETURN_EXISTING") {
      const { memory, differs } = mergeDuplicate(duplicate.memory, item.memory, now);
      if (memory !== duplicate.memory) {
        note(scope, "UPDATED", memory.id, now);
        replaceWith(duplicate, memory);
        countChange(worldOf(universe, scope), memory.userId, now);
      }
      return { kind: "duplicate", memory: stored(duplicate), differs };
    }
    if (duplicate !== undefined && item.onDuplicate === "REFUSE") {
      return {
        kind: "refused",
        error: new RecollectError("MEMORY_DUPLICATE", `memory ${duplicate.memory.id} is a duplicate`),
      };
    }
    const { recalledSince } = item;
    if (recalledSince !== undefined) {
      const recalled = live(scope, now)
        .filter((one) => one.textKey === item.textKey && one.memory.state === "ACTIVE")
        .sort((a, b) => byTime(b.memory, a.memory))
        .slice(0, MAX_SAME_TEXTS)
        .find((one) => isRecalled(one.access, recalledSince));
      if (recalled !== undefined) {
        const differs = differingFields(recalled.memory, item.memory);
        return { kind: "duplicate", memory: stored(recalled), differs, recallLoop: true };
      }
    }
    for (const replaced of item.memory.supersedes ?? []) {
      const current = find(scope, replaced, now);
      if (current === undefined) return { kind: "refused", error: memoryNotFound(scope.namespace, replaced) };
      const error = notActive(current);
      if (error !== undefined) return { kind: "refused", error };
    }
    const world = worldOf(universe, scope);
    const position = sessionId === "" ? 0 : (world.sessions.get(sessionId) ?? 0) + 1;
    if (position > 0) world.sessions.set(sessionId, position);
    countChange(world, item.memory.userId, now);
    freeId(scope, id, now);
    const created = keep(scope, item, position);
    note(scope, "CREATED", id, now);
    for (const replaced of item.memory.supersedes ?? []) {
      const one = live(scope, now).find(({ memory }) => memory.id === replaced);
      if (one === undefined) continue;
      replaceWith(one, superseded(one.memory, id, now));
      note(scope, "SUPERSEDED", replaced, now);
    }
    return { kind: "created", memory: created };
  };

  const importOne = (scope: NamespaceKey, item: ImportedMemory, now: number): ImportOutcome => {
    const { id, sessionId, sessionPosition } = item.memory;
    if (find(scope, id, now) !== undefined) return "skipped";
    const { sessions } = worldOf(universe, scope);
    const last = sessions.get(sessionId) ?? 0;
    const isStored = live(scope, now).some(
      ({ memory }) => memory.sessionId === sessionId && memory.sessionPosition === sessionPosition,
    );
    const given = sessionPosition > 0 && !isStored ? sessionPosition : last + 1;
    const position = sessionId === "" ? 0 : given;
    if (position > 0) sessions.set(sessionId, Math.max(last, position));
    freeId(scope, id, now);
    keep(scope, item, position);
    countChange(worldOf(universe, scope), item.memory.userId, now);
    note(scope, "CREATED", id, now);
    return "imported";
  };

  const keep = (
    scope: NamespaceKey,
    item: Replacement,
    sessionPosition: number,
    { access, revisions }: Pick<ReferenceMemory, "access" | "revisions"> = {
      access: undefined,
      revisions: [],
    },
  ): StoredMemory => {
    const memory = writtenDown({ ...item.memory, sessionPosition });
    const { duplicateKey, textKey, terms, vector } = item;
    const one: ReferenceMemory = { memory, duplicateKey, textKey, terms, vector, access, revisions };
    worldOf(universe, scope).memories.push(one);
    return stored(one);
  };

  // Small, so that batches of many are written in steps.
  const stepLimits: StepLimits = { bytes: 4096, bytesAMemory: 100 };
  return {
    reader: {
      exist: async (scope, ids, now) => ids.map((id) => find(scope, id, now) !== undefined),

      get: async (scope, ids, now) => ids.map((id) => find(scope, id, now)),

      neighbors: async (scope, ids, { filter, count, maxBytes, now }) => {
        const lists = ids.map((id) => {
          const { sessionId = "", sessionPosition = 0 } =
            memoriesIn(scope).find(({ memory }) => memory.id === id)?.memory ?? {};
          if (sessionId === "") return [];
          const session = memoriesIn(scope)
            .map(stored)
            .filter((one) => one.sessionId === sessionId)
            .sort((a, b) => a.sessionPosition - b.sessionPosition);
          const passes = (one: StoredMemory): boolean => matchesFilter(one, filter, now);
          const before = session.filter((one) => one.sessionPosition < sessionPosition);
          const after = session.filter((one) => one.sessionPosition > sessionPosition);
          return [
            ...before.slice(-NEIGHBOR_REACH).filter(passes).slice(-count),
            ...after.slice(0, NEIGHBOR_REACH).filter(passes).slice(0, count),
          ];
        });
        const read = new Map<string, number>();
        const bytes = (): number => [...read.values()].reduce((sum, size) => sum + size, 0);
        return lists.filter((list, at) => {
          if (at > 0 && bytes() >= maxBytes) return false;
          for (const one of list) read.set(one.id, Buffer.byteLength(JSON.stringify(one)));
          return true;
        });
      },

      list: async (scope, { filter, after, limit, now }) =>
        passing(scope, filter, now)
          .map(stored)
          .sort(byTime)
          .filter((memory) => after === undefined || byTime(after, memory) < 0)
          .slice(0, limit),

      count: async (scope, filter, now) => passing(scope, filter, now).length,
    },
    writer: {
      stepLimits,

      create: async (scope, items, { now, request, step = { before: [], isLast: true } }) => {
        const writes = request !== undefined || items.some((item) => !("refusal" in item));
        if (writes) worldOf(universe, scope);
        const worldKey = worldKeyOf(scope);
        const record = request === undefined ? undefined : replay(universe, worldKey, { now, request });
        const batch = record?.outcome as RecordedBatch | undefined;
        if (batch !== undefined && (batch.isWhole || batch.items.length !== step.before.length)) {
          return batch.items.map((one): CreateOutcome => {
            if (!("id" in one)) return one;
            const { id, ...rest } = one;
            const memory = find(scope, id, now);
            return memory === undefined
              ? { kind: "refused", error: memoryNotFound(scope.namespace, id) }
              : { ...rest, memory };
          });
        }
        const outcomes = [...step.before, ...items.map((item) => createOne(scope, item, now))];
        const recorded = outcomes.map((one): Recorded => {
          if (one.kind === "refused") return one;
          const { memory, ...rest } = one;
          return { ...rest, id: memory.id };
        });
        storeRecord(universe, worldKey, request, { items: recorded, isWhole: step.isLast });
        return outcomes;
      },

      replace: async (scope, expectedEtag, replacement, options) => {
        const { id } = replacement.memory;
        const current = existing(scope, id, options.now);
        return idempotently(
          universe,
          worldKeyOf(scope),
          options,
          () => {
            if (current.etag !== expectedEtag) throw changed(id);
            const replaced = live(scope, options.now).find(({ memory }) => memory.id === id);
            removeIds(scope, new Set([id]));
            countChange(worldOf(universe, scope), current.userId, options.now);
            const { sessionPosition, access } = current;
            note(scope, options.change ?? "UPDATED", id, options.now);
            const revisions = withRevision(replaced, replacement.memory.updateTime);
            const kept = { access, revisions: options.forgets === true ? [] : revisions };
            return { result: keep(scope, replacement, sessionPosition, kept), outcome: undefined };
          },
          () => current,
        );
      },

      replayReplace: async (scope, id, options) => {
        const current = existing(scope, id, options.now);
        return replay(universe, worldKeyOf(scope), options) === undefined ? undefined : current;
      },

      delete: async (scope, id, options) =>
        idempotently(
          universe,
          worldKeyOf(scope),
          options,
          () => {
            const { etag } = existing(scope, id, options.now);
            if (options.etag !== undefined && options.etag !== etag) throw changed(id);
            removeIds(scope, new Set([id]));
            note(scope, "DELETED", id, options.now);
            return { result: undefined, outcome: undefined };
          },
          () => undefined,
        ),
    },
    purge: {
      run: async (scope, filter, options) =>
        idempotently<number, number>(
          universe,
          recordsBeside(scope),
          options,
          () => {
            const ids = passing(scope, filter, options.now).map(({ memory }) => memory.id);
            if (ids.length > 0) removeIds(scope, new Set(ids));
            for (const id of ids) note(scope, "DELETED", id, options.now);
            return { result: ids.length, outcome: ids.length };
          },
          (count) => count,
        ),
    },
    search: {
      search: async (scope, query, now) => {
        const eligible = passing(scope, query.filter, now);
        const { vector, terms = [] } = query;
        const corpus = corpusOf(memoriesIn(scope), terms);
        const chosen = chooseTerms(terms, corpus);
        const count = countTerms(terms);
        return {
          byVector: eligible
            .flatMap((one) =>
              vector === undefined || one.vector === undefined
                ? []
                : [{ ...rankingFieldsOf(one.memory), similarity: clampSimilarity(dot(vector, one.vector)) }],
            )
            .sort((a, b) => b.similarity - a.similarity)
            .slice(0, query.limit),
          byKeyword: eligible
            .filter((one) => one.terms.some((term) => chosen.includes(term)))
            .map((one) => ({ ...rankingFieldsOf(one.memory), document: count(one.terms) }))
            .slice(0, query.limit),
          corpus,
          plan: {
            ...(vector === undefined
              ? {}
              : {
                  vector: {
                    policy: "EXACT",
                    candidates: 0,
                    eligible: { count: eligible.length, basis: "COUNTED" },
                  },
                }),
            ...keywordRetrieverPlan(terms, chosen, corpus),
            walked: true,
            rounds: 1,
          },
        };
      },

      vectors: async (scope, ids) =>
        ids.map((id) => memoriesIn(scope).find(({ memory }) => memory.id === id)?.vector),
    },
    accessCounts: {
      add: (scope, ids, now) => {
        for (const one of ids.flatMap((id) => memoriesIn(scope).filter(({ memory }) => memory.id === id))) {
          const { accessCount = 0, lastAccessTime = now } = one.access ?? {};
          one.access = { accessCount: accessCount + 1, lastAccessTime: Math.max(now, lastAccessTime) };
        }
      },
    },
    exporter: {
      listOldest: async (scope, { filter, after, limit, maxBytes, now }) => {
        const found = passing(scope, filter, now)
          .map(({ memory }) => memory)
          .sort((a, b) => byTime(b, a))
          .filter((memory) => after === undefined || byTime(memory, after) < 0);
        return withinBytes(found.slice(0, limit), sizeOf, maxBytes);
      },
    },
    changes: {
      end: async (scope) => {
        const world = universe.worlds.get(worldKeyOf(scope));
        return endOfFeed(world && { incarnation: world.incarnation, newest: world.feed.at(-1) });
      },

      read: async (scope, after, limit) => {
        const world = universe.worlds.get(worldKeyOf(scope));
        if (world === undefined) return changesAfter(after, undefined);
        const { incarnation, feed } = world;
        const rows = feed.filter(({ sequence }) => sequence >= after.sequence).slice(0, limit + 1);
        return changesAfter(after, { incarnation, last: feed.at(-1)?.sequence ?? 0, rows });
      },

      wait: async (scope, after, signal) => {
        const world = universe.worlds.get(worldKeyOf(scope));
        const end = endOfFeed(world && { incarnation: world.incarnation, newest: world.feed.at(-1) });
        const hasChanged = end.sequence !== after.sequence || end.incarnation !== after.incarnation;
        if (hasChanged || signal.aborted) return;
        await new Promise<void>((resolve) => {
          universe.waits.add(resolve);
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
      },
    },
    revisions: {
      list: async (scope, id, { before = Infinity, limit, maxBytes, now }) => {
        const one = live(scope, now).find(({ memory }) => memory.id === id);
        if (one === undefined) return undefined;
        const found = one.revisions
          .filter(({ number }) => number < before && number > one.revisions.length - maxRevisions)
          .toReversed();
        const page = withinBytes(found.slice(0, limit), ({ memory }) => sizeOf(memory), maxBytes);
        return { revisions: page, more: page.length < found.length };
      },
    },
    importer: {
      stepLimits,

      import: async (scope, items, { now }) => {
        worldOf(universe, scope);
        return items.map((item) => importOne(scope, item, now));
      },
    },
  };
}

/** Keeps all: the store says how many of them can be read. */
function withRevision(replaced: ReferenceMemory | undefined, replaceTime: number): readonly MemoryRevision[] {
  if (replaced === undefined) return [];
  const number = replaced.revisions.length + 1;
  const memory = revisedMemory(replaced.memory);
  return [...replaced.revisions, { number, replaceTime, memory }];
}

/** Replaces a memory, which becomes a revision. */
export function replaceWith(
  one: ReferenceMemory,
  memory: Memory,
  replaceTime: number = memory.updateTime,
): void {
  one.revisions = withRevision(one, replaceTime);
  one.memory = memory;
}

function stored({ memory, access }: ReferenceMemory): StoredMemory {
  return access === undefined ? memory : { ...memory, access };
}

function changed(id: string): RecollectError {
  return new RecollectError("ETAG_MISMATCH", `memory ${id} has changed`);
}

function rankingFieldsOf(memory: Memory): RankingFields {
  return { id: memory.id, time: memory.eventTime ?? memory.createTime, importance: memory.importance };
}

function corpusOf(documents: readonly ReferenceMemory[], terms: readonly string[]): CorpusStatistics {
  if (terms.length === 0) return { documentCount: 0, meanLength: 0, documentFrequencies: new Map() };
  const words = documents.reduce((sum, one) => sum + one.terms.length, 0);
  return {
    documentCount: documents.length,
    meanLength: documents.length === 0 ? 0 : words / documents.length,
    documentFrequencies: new Map(
      terms.map((term) => [term, documents.filter((one) => one.terms.includes(term)).length]),
    ),
  };
}
