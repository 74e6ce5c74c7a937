import { toJson } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  type CompactionPolicy,
  type GetCompactionPolicyResponse,
  GetCompactionPolicyResponseSchema,
  type UpdateCompactionPolicyResponse,
  UpdateCompactionPolicyResponseSchema,
} from "#gen/recollect/v1/compaction_pb.js";
import { connect } from "./client.ts";
import { type PolicyOptions, toPolicyMessage } from "./compact-options.ts";
import { levelName, strategyName } from "./compaction-names.ts";
import { formatDuration } from "./duration.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import { formatFields } from "./format-fields.ts";
import type { GlobalOptions } from "./global-options.ts";
import { print } from "./output.ts";

export interface CompactPolicySetOptions extends PolicyOptions {
  readonly schedule?: "on" | "off";
  readonly etag?: string;
}

/** Prints the compaction policy of a namespace. */
export async function compactPolicyGet(options: GlobalOptions): Promise<ExitCode> {
  const response = await connect(options).compaction.getCompactionPolicy({ namespace: options.namespace });
  if (options.json) print(JSON.stringify(toJson(GetCompactionPolicyResponseSchema, response)));
  else for (const line of formatPolicies(response)) print(line);
  return EXIT_CODE.ok;
}

/** Replaces the compaction policy of a namespace, and prints it. */
export async function compactPolicySet(options: CompactPolicySetOptions): Promise<ExitCode> {
  const { namespace, etag = "", schedule } = options;
  const response = await connect(options).compaction.updateCompactionPolicy({
    namespace,
    policy: {
      ...toPolicyMessage(options),
      etag,
      ...(schedule === undefined ? {} : { scheduled: schedule === "on" }),
    },
  });
  if (options.json) print(JSON.stringify(toJson(UpdateCompactionPolicyResponseSchema, response)));
  else for (const line of formatPolicies(response)) print(line);
  return EXIT_CODE.ok;
}

function formatPolicies({
  policy,
  effectivePolicy,
}: GetCompactionPolicyResponse | UpdateCompactionPolicyResponse): string[] {
  const own = policy === undefined ? [] : valuesOf(policy);
  const effective = effectivePolicy === undefined ? [] : valuesOf(effectivePolicy);
  return formatFields([
    ...effective.map(([name, value], index): readonly [string, string] => [
      name,
      own[index]?.[1] === "" ? `${value} (the server's)` : value,
    ]),
    ["etag", policy?.etag ?? ""],
  ]);
}

/** Each field by name; an unset one is empty. */
function valuesOf(policy: CompactionPolicy): (readonly [string, string])[] {
  const { strategy, level, keepRecent, keepImportant, minImportance, maxAffectedFraction, scheduled } =
    policy;
  const duration = (value: typeof keepRecent): string =>
    value === undefined ? "" : formatDuration(durationMs(value)) || "0 s";
  return [
    ["strategy", strategy === 0 ? "" : strategyName(strategy)],
    ["level", level === 0 ? "" : levelName(level)],
    ["keep recent", duration(keepRecent)],
    ["keep important", duration(keepImportant)],
    ["min importance", minImportance === undefined ? "" : String(Number(minImportance.toPrecision(6)))],
    [
      "max affected",
      maxAffectedFraction === undefined ? "" : String(Number(maxAffectedFraction.toPrecision(6))),
    ],
    ["scheduled", scheduled === undefined ? "" : scheduled ? "yes" : "no"],
  ];
}
