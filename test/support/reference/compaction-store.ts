import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import { dueTimeOf, endTimeOf, isUnderWay, overlap } from "../../../src/domain/compaction/run.ts";
import { compactionPolicyEtag } from "../../../src/domain/compaction/stored-policy.ts";
import {
  compactionChanged,
  compactionNotFound,
  compactionPolicyChanged,
  compactionRunning,
} from "../../../src/domain/errors.ts";
import { type ChangeKind, putKind } from "../../../src/domain/memory/changes.ts";
import { isExpired } from "../../../src/domain/memory/memory.ts";
import { putTime } from "../../../src/domain/memory/revision.ts";
import { withinBytes } from "../../../src/domain/page-token.ts";
import {
  type ChangedScope,
  type CompactionStore,
  LeaseLost,
  type MemoryChanges,
  type StoredCompactionPolicy,
  type StoredRun,
} from "../../../src/ports/compaction/compaction-store.ts";
import { replaceWith } from "./memories.ts";
import {
  appendChange,
  byTime,
  idempotently,
  namespaceAt,
  type ReferenceRun,
  type Universe,
  type World,
  worldKeyOf,
  worldOf,
  writtenDown,
} from "./world.ts";

/** The reference implementation of CompactionStore, as simple as possible: full scans of lists. */
export function referenceCompactionStore(universe: Universe): CompactionStore {
  const worldIn = (scope: NamespaceKey): World | undefined => universe.worlds.get(worldKeyOf(scope));
  const find = (scope: NamespaceKey, id: string): ReferenceRun | undefined =>
    worldIn(scope)?.compaction.runs.get(id);
  const storedRun = (scope: NamespaceKey, id: string): StoredRun => {
    const found = find(scope, id);
    if (found === undefined) throw compactionNotFound(id);
    return { run: found.run, version: found.version };
  };
  const policyOf = (scope: NamespaceKey): StoredCompactionPolicy | undefined => {
    const policy = worldIn(scope)?.compaction.policy;
    return policy === undefined ? undefined : { ...policy, etag: compactionPolicyEtag(policy) };
  };
  /** All runs, with their namespaces. */
  const everyRun = (): (ReferenceRun & { readonly namespaceKey: NamespaceKey; readonly id: string })[] =>
    [...universe.worlds].flatMap(([worldKey, { compaction }]) =>
      [...compaction.runs].map(([id, one]) => ({ namespaceKey: namespaceAt(worldKey), id, ...one })),
    );

  return {
    start: async (scope, run, options) =>
      idempotently<StoredRun, string>(
        universe,
        worldKeyOf(scope),
        options,
        () => {
          const { runs } = worldOf(universe, scope).compaction;
          for (const [id, { run: other }] of runs) {
            const isOver = dueTimeOf(other) === undefined;
            if (!isOver && overlap(other.userId, run.userId)) throw compactionRunning(id);
          }
          const lease = { fence: 0, owner: "", until: 0 };
          runs.set(run.id, { run: writtenDown(run), version: 1, ...lease, groups: new Map() });
          return { result: storedRun(scope, run.id), outcome: run.id };
        },
        (id) => storedRun(scope, id),
      ),

    get: async (scope, id) => (find(scope, id) === undefined ? undefined : storedRun(scope, id)),

    list: async (scope, { after, limit }) =>
      [...(worldIn(scope)?.compaction.runs.values() ?? [])]
        .map(({ run, version }) => ({ run, version }))
        .sort((a, b) => byTime(a.run, b.run))
        .filter(({ run }) => after === undefined || byTime(run, after) > 0)
        .slice(0, limit),

    groups: async (scope, id, { after, limit, maxBytes }) => {
      const all = [...(find(scope, id)?.groups.values() ?? [])].sort((a, b) => a.number - b.number);
      const found = all.filter(({ number }) => number > after).slice(0, limit);
      return withinBytes(found, (group) => Buffer.byteLength(JSON.stringify(group)), maxBytes);
    },

    claim: async (scope, id, { owner, now, until }) => {
      const found = find(scope, id);
      if (found === undefined || (found.until > now && found.owner !== owner)) return undefined;
      if (found.owner !== owner) found.fence += 1;
      found.owner = owner;
      found.until = until;
      return { id, fence: found.fence };
    },

    write: async (scope, { id, fence }, { run, version, discardGroups, groups, changes }, { now }) => {
      const found = find(scope, id);
      if (found === undefined || found.fence !== fence) throw new LeaseLost();
      if (found.version !== version) throw compactionChanged(id, String(found.version));
      const world = worldOf(universe, scope);
      const conflicts = changes === undefined ? [] : conflictsOf(world, changes, now);
      if (conflicts.length > 0) return conflicts;
      if (changes !== undefined) {
        change(
          world,
          changes,
          (kind, memoryId) => appendChange(universe, scope, { kind, memoryId, now }),
          now,
        );
      }
      if (discardGroups === true) found.groups.clear();
      for (const group of groups ?? []) found.groups.set(group.number, writtenDown(group));
      replaceRun(found, run);
      return [];
    },

    replace: async (scope, version, run, options) =>
      idempotently<StoredRun, string>(
        universe,
        worldKeyOf(scope),
        options,
        () => {
          const found = find(scope, run.id);
          if (found === undefined) throw compactionNotFound(run.id);
          if (found.version !== version) throw compactionChanged(run.id, String(found.version));
          replaceRun(found, run);
          return { result: storedRun(scope, run.id), outcome: run.id };
        },
        (id) => storedRun(scope, id),
      ),

    unfinished: async ({ now, limit }) =>
      everyRun()
        .flatMap((one) => {
          const due = dueTimeOf(one.run);
          return due === undefined ? [] : [{ ...one, due: Math.max(due, one.until) }];
        })
        .filter(({ due }) => due <= now)
        .sort((a, b) => a.due - b.due)
        .map(({ namespaceKey, id }) => ({ namespaceKey, id }))
        .slice(0, limit),

    remove: async (scope, ids) => {
      for (const id of ids) worldIn(scope)?.compaction.runs.delete(id);
    },

    ended: async ({ after, before, limit }) => {
      const position = after && { createTime: after.endTime, id: after.id };
      return everyRun()
        .flatMap(({ namespaceKey, id, run }) => {
          const endTime = endTimeOf(run);
          return endTime === undefined || endTime >= before ? [] : [{ namespaceKey, id, endTime }];
        })
        .map((one) => ({ one, at: { createTime: one.endTime, id: one.id } }))
        .filter(({ at }) => position === undefined || byTime(at, position) < 0)
        .sort((a, b) => byTime(b.at, a.at))
        .map(({ one }) => one)
        .slice(0, limit);
    },

    changedScopes: async ({ since, changes, limit }) => {
      const all: ChangedScope[] = [...universe.worlds].flatMap(([worldKey, { compaction }]) =>
        [...compaction.changes].map(([userId, one]) => ({
          namespaceKey: namespaceAt(worldKey),
          userId,
          ...one,
        })),
      );
      const due = all.filter((one) => one.since <= since).sort((a, b) => a.since - b.since);
      const often = all
        .filter((one) => one.since > since && one.changes >= changes)
        .sort((a, b) => b.changes - a.changes);
      return [...due, ...often].slice(0, limit);
    },

    takeScope: async ({ namespaceKey, userId, since }) => {
      const all = worldIn(namespaceKey)?.compaction.changes;
      return all?.get(userId)?.since === since && all.delete(userId);
    },

    policy: async (scope) => policyOf(scope),

    replacePolicy: async (scope, expectedEtag, policy, options) =>
      idempotently(
        universe,
        worldKeyOf(scope),
        options,
        () => {
          const current = policyOf(scope);
          if (current?.etag !== expectedEtag) throw compactionPolicyChanged(current?.etag ?? "");
          worldOf(universe, scope).compaction.policy = writtenDown(policy);
          return { result: policyOf(scope) as StoredCompactionPolicy, outcome: undefined };
        },
        () => policyOf(scope) as StoredCompactionPolicy,
      ),
  };
}

function replaceRun(found: ReferenceRun, run: ReferenceRun["run"]): void {
  if (isUnderWay(found.run.state) && !isUnderWay(run.state)) found.until = 0;
  found.run = writtenDown(run);
  found.version += 1;
}

function conflictsOf(world: World, { expected, create }: MemoryChanges, now: number): string[] {
  const etags = new Map(
    world.memories
      .filter(({ memory }) => !isExpired(memory, now))
      .map(({ memory }) => [memory.id, memory.etag] as const),
  );
  const changed = expected.filter(({ id, etag }) => etags.get(id) !== etag);
  const taken = create.filter(({ memory }) => etags.has(memory.id));
  return [...changed.map(({ id }) => id), ...taken.map(({ memory }) => memory.id)];
}

function change(
  world: World,
  { put, create, remove }: MemoryChanges,
  note: (kind: ChangeKind, id: string) => void,
  now: number,
): void {
  const free = (id: string, kind: ChangeKind): void => {
    if (!world.memories.some(({ memory }) => memory.id === id)) return;
    world.memories = world.memories.filter(({ memory }) => memory.id !== id);
    note(kind, id);
  };
  for (const id of remove) free(id, "DELETED");
  for (const { memory, duplicateKey, textKey, terms, vector } of create) {
    // Expired: the id is free.
    free(memory.id, "EXPIRED");
    const position = memory.sessionId === "" ? 0 : (world.sessions.get(memory.sessionId) ?? 0) + 1;
    if (position > 0) world.sessions.set(memory.sessionId, position);
    const written = writtenDown({ ...memory, sessionPosition: position });
    const indexed = { duplicateKey, textKey, terms, vector };
    world.memories.push({ memory: written, ...indexed, access: undefined, revisions: [] });
    note("CREATED", memory.id);
  }
  for (const next of put) {
    const one = world.memories.find(({ memory }) => memory.id === next.id);
    if (one === undefined) throw new RangeError(`${next.id} is put and not expected`);
    const { sessionPosition, embedding, state } = one.memory;
    replaceWith(one, writtenDown({ ...next, sessionPosition, embedding }), putTime(next, now));
    note(putKind(state, next.state), next.id);
  }
}
