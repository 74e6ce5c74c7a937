import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import type { StatusSchema } from "#gen/google/rpc/status_pb.js";
import {
  CompactionAction,
  CompactionGroup_State,
  type CompactionGroupSchema,
  CompactionLevel,
  type CompactionPolicySchema,
  CompactionReason,
  type CompactionSchema,
  CompactionStrategy,
  type CompactionPolicy as ProtoPolicy,
  Compaction_State as State,
} from "#gen/recollect/v1/compaction_pb.js";
import type { CompactionGroup, GroupState } from "../../domain/compaction/group.ts";
import type {
  CompactionPolicy,
  CompactionRun,
  CompactionLevel as Level,
  CompactionStrategy as Strategy,
} from "../../domain/compaction/run.ts";
import { runEtag } from "../../domain/compaction/run-etag.ts";
import type { NamespacePolicy } from "../../domain/compaction/stored-policy.ts";
import { invalidField } from "../../domain/errors.ts";
import type { StoredRun } from "../../ports/compaction/compaction-store.ts";
import type { CompactionPolicies } from "../../services/compaction/compaction-policy.ts";
import type { GroupTexts } from "../../services/compaction/group-texts.ts";
import { CODE_OF_REASON, Code } from "../status.ts";
import { defined, fromDurationMs, fromMs, toDurationMs } from "./common.ts";

/** A run; one that is not stored, of validate_only, has version 0, and neither id nor etag. */
export function fromStoredRun(
  stored: StoredRun,
  namespace: string,
): MessageInitShape<typeof CompactionSchema> & { readonly $typeName?: never } {
  const { run } = stored;
  return {
    id: stored.version === 0 ? "" : run.id,
    namespace,
    userId: run.userId ?? "",
    withoutUser: run.userId === "",
    strategy: CompactionStrategy[run.policy.strategy],
    level: CompactionLevel[run.policy.level],
    state: State[run.state],
    examinedCount: run.examined,
    affectedCount: run.affected,
    createdCount: run.created,
    etag: stored.version === 0 ? "" : runEtag(stored),
    counts: run.counts.map(({ action, reason, groups, memories }) => ({
      action: CompactionAction[action],
      reason: CompactionReason[reason],
      groupCount: groups,
      memoryCount: memories,
    })),
    groupCount: run.groups,
    doneGroupCount: run.doneGroups,
    droppedGroupCount: run.droppedGroups,
    undoneGroupCount: run.undoneGroups,
    tokensBefore: BigInt(run.tokensBefore),
    tokensAfter: BigInt(run.tokensAfter),
    scheduled: run.scheduled,
    policy: fromPolicy(run.policy),
    ...defined({
      createTime: fromMs(run.createTime),
      endTime: fromMs(run.endTime),
      undoExpireTime: fromMs(run.undoExpireTime),
      approvalExpireTime: fromMs(run.approvalExpireTime),
      error: fromError(run.error),
    }),
  };
}

function fromError(error: CompactionRun["error"]): MessageInitShape<typeof StatusSchema> | undefined {
  if (error === undefined) return undefined;
  const { reason, message } = error;
  const info = create(ErrorInfoSchema, { reason, domain: "recollect" });
  return { code: Code[CODE_OF_REASON[reason]], message, details: [anyPack(ErrorInfoSchema, info)] };
}

const GROUP_STATES: Readonly<Record<GroupState, CompactionGroup_State>> = {
  PLANNED: CompactionGroup_State.UNSPECIFIED,
  APPLIED: CompactionGroup_State.APPLIED,
  DROPPED: CompactionGroup_State.DROPPED,
  UNDONE: CompactionGroup_State.UNDONE,
};

export function fromGroup({
  group,
  texts,
}: GroupTexts): MessageInitShape<typeof CompactionGroupSchema> & { readonly $typeName?: never } {
  const survivor = survivorOf(group);
  return {
    number: group.number,
    action: CompactionAction[group.action],
    reason: CompactionReason[group.reason],
    members: group.members.map(({ id, etag }) => ({ memoryId: id, etag, text: texts.get(id) ?? "" })),
    findings: [...group.findings],
    tokensBefore: group.tokensBefore,
    tokensAfter: group.tokensAfter,
    state: GROUP_STATES[group.state],
    ...defined({
      similarity: group.similarity,
      survivor: survivor && {
        memoryId: survivor.id,
        etag: survivor.etag ?? "",
        text: texts.get(survivor.id) ?? "",
      },
    }),
  };
}

function survivorOf({
  survivor,
  summary,
}: CompactionGroup): { readonly id: string; readonly etag?: string } | undefined {
  return survivor ?? summary;
}

function fromPolicy(
  policy: NamespacePolicy,
  etag = "",
): MessageInitShape<typeof CompactionPolicySchema> & { readonly $typeName?: never } {
  const { keepRecentMs, keepImportantMs, minImportance, maxAffectedFraction, scheduled } = policy;
  return {
    strategy: CompactionStrategy[policy.strategy ?? "UNSPECIFIED"],
    level: CompactionLevel[policy.level ?? "UNSPECIFIED"],
    etag,
    ...defined({
      keepRecent: keepRecentMs === undefined ? undefined : fromDurationMs(keepRecentMs),
      keepImportant: keepImportantMs === undefined ? undefined : fromDurationMs(keepImportantMs),
      ...{ minImportance, maxAffectedFraction, scheduled },
    }),
  };
}

export function fromPolicies({ own, effective }: CompactionPolicies): {
  readonly policy: ReturnType<typeof fromPolicy>;
  readonly effectivePolicy: ReturnType<typeof fromPolicy>;
} {
  const { etag, ...policy } = own;
  return { policy: fromPolicy(policy, etag), effectivePolicy: fromPolicy(effective) };
}

/** What a message sets of a policy. */
export function toPolicy(policy: ProtoPolicy | undefined): NamespacePolicy {
  if (policy === undefined) return {};
  const { minImportance, maxAffectedFraction, scheduled } = policy;
  return defined({
    strategy: toStrategy(policy.strategy),
    level: toLevel(policy.level),
    keepRecentMs: toDurationMs(policy.keepRecent),
    keepImportantMs: toDurationMs(policy.keepImportant),
    ...{ minImportance, maxAffectedFraction, scheduled },
  });
}

/**
 * What a request sets for its run. Throws REQUEST_INVALID for overrides that mean nothing for one run, or that contradict
 * the strategy or level of the request.
 */
export function toOverrides(request: {
  readonly strategy: CompactionStrategy;
  readonly level: CompactionLevel;
  readonly overrides?: ProtoPolicy | undefined;
}): Partial<CompactionPolicy> {
  const { overrides } = request;
  if (overrides !== undefined && overrides.etag !== "") {
    throw invalidField("overrides.etag", "must be unset: overrides have no version");
  }
  const { scheduled, ...policy } = toPolicy(overrides);
  if (scheduled !== undefined) throw invalidField("overrides.scheduled", "must be unset: it is for policies");
  const strategy = toStrategy(request.strategy);
  const level = toLevel(request.level);
  if (strategy !== undefined && policy.strategy !== undefined && strategy !== policy.strategy) {
    throw invalidField("overrides.strategy", "is another one than strategy");
  }
  if (level !== undefined && policy.level !== undefined && level !== policy.level) {
    throw invalidField("overrides.level", "is another one than level");
  }
  return { ...policy, ...defined({ strategy, level }) };
}

function toStrategy(strategy: CompactionStrategy): Strategy | undefined {
  return strategy === CompactionStrategy.UNSPECIFIED ? undefined : (CompactionStrategy[strategy] as Strategy);
}

function toLevel(level: CompactionLevel): Level | undefined {
  return level === CompactionLevel.UNSPECIFIED ? undefined : (CompactionLevel[level] as Level);
}
