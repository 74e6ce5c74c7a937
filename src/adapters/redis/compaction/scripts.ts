import { type CompactionRun, dueTimeOf, endTimeOf, isUnderWay } from "../../../domain/compaction/run.ts";
import type { Reply } from "../connection/client.ts";
import { bytesOf, isText, listOf, numberOf, textOf } from "../connection/replies.ts";
import { defineLibrary, defineScript, list, rows } from "../connection/script.ts";
import { CHANGES } from "../memory/change-writer.ts";
import { FEED } from "../memory/changes.ts";
import { REVISIONS } from "../memory/revisions.ts";
import { MEMORY } from "../memory/rows.ts";
import { IDEMPOTENCY, replayedOutcome } from "../namespaces/idempotency.ts";
import type { NamespaceRedisKeys } from "../namespaces/keys.ts";
import { defineNamespaceScript, orModelChanged } from "../namespaces/namespace-script.ts";
import type { PackRecord } from "../namespaces/records.ts";

/** Lua functions that write a run. */
const RUN = defineLibrary({
  file: new URL("./run-library.lua", import.meta.url),
  keys: ["run", "unfinishedCompactions", "endedCompactions", "activeCompactions", "meta"],
  arguments: ["id", "rec", "dueTime", "endTime", "underWay", "runScope"],
});

/** The input of RUN. */
export function runInput(namespace: NamespaceRedisKeys, run: CompactionRun, pack: PackRecord) {
  const { meta, unfinishedCompactions, endedCompactions } = namespace.partition;
  return {
    ...{ meta, unfinishedCompactions, endedCompactions },
    run: namespace.compaction(run.id),
    activeCompactions: namespace.activeCompactions,
    id: run.id,
    rec: pack(run),
    dueTime: dueTimeOf(run) ?? "",
    endTime: endTimeOf(run) ?? "",
    underWay: isUnderWay(run.state) ? 1 : 0,
    runScope: run.userId === undefined ? "*" : `u${run.userId}`,
  };
}

export const START = defineNamespaceScript({
  file: new URL("./start-compaction.lua", import.meta.url),
  libraries: [IDEMPOTENCY, RUN],
  effect: "writes",
  keys: ["compactionOrder"],
  arguments: ["createTime"],
  /** The run that overlaps, or the recorded one; neither: it was started. */
  reply: (reply): { readonly running?: string; readonly recorded?: string } => {
    const recorded = replayedOutcome(reply);
    if (recorded !== undefined) return { recorded };
    const [word, id] = listOf(reply);
    return isText(word, "RUNNING") ? { running: textOf(id) ?? "" } : {};
  },
});

export const REPLACE = defineNamespaceScript({
  file: new URL("./replace-compaction.lua", import.meta.url),
  libraries: [IDEMPOTENCY, RUN],
  effect: "writes",
  arguments: ["expectedVersion"],
  reply: (reply): { readonly missing?: true; readonly version?: string; readonly recorded?: string } => {
    const recorded = replayedOutcome(reply);
    if (recorded !== undefined) return { recorded };
    const [word, version] = listOf(reply);
    if (isText(word, "MISSING")) return { missing: true };
    return isText(word, "CHANGED") ? { version: textOf(version) ?? "" } : {};
  },
});

type WriteReply =
  | { readonly kind: "lost" }
  | { readonly kind: "changed"; readonly version: string }
  /** None: all was written. */
  | { readonly kind: "done"; readonly conflicts: readonly string[] };

export const WRITE = defineNamespaceScript({
  file: new URL("./write-compaction.lua", import.meta.url),
  libraries: [MEMORY, FEED, REVISIONS, RUN],
  effect: "writes",
  keys: ["compactionGroups"],
  arguments: [
    ...(["fence", "expectedVersion", "discardGroups"] as const),
    rows("groups", ["number", "rec"]),
    ...CHANGES,
  ],
  reply: orModelChanged((reply): WriteReply => {
    const [word, second = null] = listOf(reply);
    if (isText(word, "LOST")) return { kind: "lost" };
    if (isText(word, "CHANGED")) return { kind: "changed", version: textOf(second) ?? "" };
    return { kind: "done", conflicts: isText(word, "CONFLICTS") ? listOf(second).map(String) : [] };
  }),
});

/** Resolves with the fence; undefined: another owner holds the lease, or there is no such run. */
export const CLAIM = defineNamespaceScript({
  file: new URL("./claim-compaction.lua", import.meta.url),
  effect: "writes",
  keys: ["run", "unfinishedCompactions", "meta"],
  arguments: ["id", "owner", "now", "leaseEnd"],
  reply: (reply): number | undefined => {
    const [word, fence] = listOf(reply);
    return isText(word, "DONE") ? numberOf(fence) : undefined;
  },
});

export const REMOVE = defineNamespaceScript({
  file: new URL("./remove-compactions.lua", import.meta.url),
  effect: "frees",
  keys: [
    ...(["compactionPrefix", "compactionGroupsPrefix", "compactionOrder", "activeCompactions"] as const),
    ...(["unfinishedCompactions", "endedCompactions", "meta"] as const),
  ],
  arguments: [list("ids")],
  reply: () => undefined,
});

/** A run as it is stored. */
export interface StoredRecord {
  readonly id: string;
  readonly rec: Buffer | undefined;
  readonly version: number;
}

export const LIST = defineNamespaceScript({
  file: new URL("./list-compactions.lua", import.meta.url),
  effect: "reads",
  keys: ["compactionOrder", "compactionPrefix"],
  arguments: ["afterTime", "afterId", "limit"],
  reply: (reply) =>
    inRows(
      listOf(reply).slice(1),
      3,
      ([id, rec, version]): StoredRecord => ({
        id: textOf(id) ?? "",
        rec: bytesOf(rec ?? null),
        version: numberOf(version),
      }),
    ),
});

export const GROUPS = defineNamespaceScript({
  file: new URL("./read-groups.lua", import.meta.url),
  effect: "reads",
  keys: ["compactionGroups"],
  arguments: ["after", "limit", "maxBytes"],
  reply: (reply) => listOf(reply).slice(1).map(bytesOf),
});

/** Lua functions that read the sets of a partition, of all its namespaces. */
const PARTITION = defineLibrary({
  file: new URL("./partition-library.lua", import.meta.url),
  keys: ["namespaces", "namespaceNames"],
});

export const LIST_OF_PARTITION = defineScript({
  file: new URL("./list-runs-of-partition.lua", import.meta.url),
  libraries: [PARTITION],
  effect: "reads",
  keys: ["runs"],
  arguments: ["min", "max", "afterId", "limit"],
  reply: (reply) =>
    inRows(listOf(reply), 3, ([name, id, score]) => ({
      name: textOf(name) ?? "",
      id: textOf(id) ?? "",
      score: numberOf(score),
    })),
});

export const LIST_CHANGED_SCOPES = defineScript({
  file: new URL("./list-changed-scopes.lua", import.meta.url),
  libraries: [PARTITION],
  effect: "reads",
  keys: ["changedScopes", "changedScopeCounts"],
  arguments: ["since", "minChanges", "limit"],
  reply: (reply) =>
    inRows(listOf(reply), 4, ([name, userId, since, changes]) => ({
      name: textOf(name) ?? "",
      userId: textOf(userId) ?? "",
      since: numberOf(since),
      changes: numberOf(changes),
    })),
});

export const TAKE_CHANGED_SCOPE = defineNamespaceScript({
  file: new URL("./take-changed-scope.lua", import.meta.url),
  effect: "frees",
  keys: ["changedScopes", "changedScopeCounts", "meta"],
  arguments: ["user", "since"],
  reply: (reply) => numberOf(listOf(reply)[1]) === 1,
});

export const REPLACE_POLICY = defineNamespaceScript({
  file: new URL("./replace-compaction-policy.lua", import.meta.url),
  libraries: [IDEMPOTENCY],
  effect: "writes",
  keys: ["compactionPolicy", "meta"],
  arguments: ["expectedEtag", "etag", "rec"],
  /** The etag of the policy that is another one, or whether it was replaced before; neither: it is now. */
  reply: (reply): { readonly etag?: string; readonly isReplay: boolean } => {
    if (replayedOutcome(reply) !== undefined) return { isReplay: true };
    const [word, etag] = listOf(reply);
    return { isReplay: false, ...(isText(word, "ETAG") ? { etag: textOf(etag) ?? "" } : {}) };
  },
});

/** A list as rows of so many fields. */
function inRows<Row>(fields: readonly Reply[], width: number, read: (row: readonly Reply[]) => Row): Row[] {
  return Array.from({ length: fields.length / width }, (_, at) =>
    read(fields.slice(width * at, width * (at + 1))),
  );
}
