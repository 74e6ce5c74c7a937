import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type Compaction,
  CompactionAction,
  type CompactionGroup,
  CompactionGroup_State as GroupState,
  type CompactionGroup_Member as Member,
} from "#gen/recollect/v1/compaction_pb.js";
import { actionName, levelName, reasonName, stateName, strategyName } from "./compaction-names.ts";
import { excerpt, toLine } from "./excerpt.ts";
import { formatFields } from "./format-fields.ts";

const TEXT_LENGTH = 100;
const number = new Intl.NumberFormat("en");

/** A run for people, one field a line; what is empty is left out. */
export function formatCompaction(run: Compaction): string[] {
  const saved = run.tokensBefore - run.tokensAfter;
  const percent = run.tokensBefore === 0n ? 0 : (Number(saved) / Number(run.tokensBefore)) * 100;
  const fields: (readonly [string, string])[] = [
    ["id", run.id],
    [
      "scope",
      run.userId !== ""
        ? `user ${toLine(run.userId)}`
        : run.withoutUser
          ? "memories without a user"
          : "all users",
    ],
    ["policy", `${strategyName(run.strategy)}, ${levelName(run.level)}${run.scheduled ? ", scheduled" : ""}`],
    ["state", stateName(run.state)],
    ["examined", `${number.format(run.examinedCount)} memories`],
    [
      "removed",
      `${number.format(run.affectedCount)} from default reads, ${number.format(run.createdCount)} created`,
    ],
    [
      "tokens",
      `${number.format(run.tokensBefore)} -> ${number.format(run.tokensAfter)} (${percent.toFixed(1)} % less)`,
    ],
    ["groups", groupCounts(run)],
    ["started", timeOf(run.createTime)],
    ["ended", timeOf(run.endTime)],
    ["undo until", timeOf(run.undoExpireTime)],
    ["approve until", timeOf(run.approvalExpireTime)],
    ["error", toLine(run.error?.message ?? "")],
    ["etag", run.etag],
  ];
  return [...formatFields(fields.filter(([, value]) => value !== "")), ...formatCounts(run)];
}

function groupCounts({
  groupCount,
  doneGroupCount,
  droppedGroupCount,
  undoneGroupCount,
}: Compaction): string {
  const parts = [`${number.format(groupCount)} planned`];
  if (doneGroupCount > 0) parts.push(`${number.format(doneGroupCount)} done`);
  if (droppedGroupCount > 0) parts.push(`${number.format(droppedGroupCount)} dropped`);
  if (undoneGroupCount > 0) parts.push(`${number.format(undoneGroupCount)} undone`);
  return parts.join(", ");
}

function formatCounts({ counts }: Compaction): string[] {
  return counts.map(({ action, reason, memoryCount, groupCount }) => {
    const memories = counted(memoryCount, "memory", "memories");
    const groups = groupCount === 0 ? "" : ` in ${counted(groupCount, "group", "groups")}`;
    return `  ${actionName(action)}, ${reasonName(reason)}: ${memories}${groups}`;
  });
}

function counted(count: number, one: string, many: string): string {
  return `${number.format(count)} ${count === 1 ? one : many}`;
}

function timeOf(time: Timestamp | undefined): string {
  return time === undefined ? "" : timestampDate(time).toISOString();
}

/** One line of a list. */
export function formatCompactionRow(run: Compaction): string {
  const scope = run.userId === "" ? (run.withoutUser ? "no user" : "all users") : toLine(run.userId);
  const created = timeOf(run.createTime);
  return [
    ...[
      run.id,
      created,
      stateName(run.state),
      `${strategyName(run.strategy)}/${levelName(run.level)}`,
      scope,
    ],
    `${number.format(run.affectedCount)} of ${number.format(run.examinedCount)} removed`,
  ].join("  ");
}

/**
 * A group as a difference: what happens and why, then its memories: `-` leaves default reads, `>` stays in their place, `+` is
 * created, and a space is kept as it is.
 */
export function formatGroup(group: CompactionGroup): string[] {
  const { action, members, survivor } = group;
  const isKept = action === CompactionAction.KEEP;
  return [
    headOf(group),
    ...members.map((member) => formatMember(isKept ? " " : "-", member)),
    ...(survivor === undefined
      ? []
      : [formatMember(action === CompactionAction.SUMMARIZE ? "+" : ">", survivor)]),
  ];
}

function headOf({
  number: position,
  action,
  reason,
  similarity,
  findings,
  tokensBefore,
  tokensAfter,
  state,
}: CompactionGroup): string {
  const found = findings.map((finding) => toLine(finding).toLowerCase().replaceAll("_", " "));
  const why = [...new Set([reasonName(reason), ...found])].join(", ");
  const parts = [`${position}. ${actionName(action)} (${why})`];
  if (similarity !== undefined) parts.push(`similarity ${similarity.toFixed(2)}`);
  if (tokensBefore !== tokensAfter) parts.push(`${tokensBefore} -> ${tokensAfter} tokens`);
  if (state !== GroupState.UNSPECIFIED) parts.push(GroupState[state].toLowerCase());
  return parts.join("; ");
}

function formatMember(mark: string, { memoryId, text }: Member): string {
  return `  ${mark} ${toLine(memoryId)}${text === "" ? "" : `  ${excerpt(text, TEXT_LENGTH)}`}`;
}
