import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type {
  CompactionPolicySchema,
  StartCompactionRequestSchema,
} from "#gen/recollect/v1/compaction_pb.js";
import { type LEVELS, type STRATEGIES, toLevel, toStrategy } from "./compaction-names.ts";
import type { GlobalOptions } from "./global-options.ts";

/** Options of a policy; absent: as the namespace or the server says. */
export interface PolicyOptions extends GlobalOptions {
  readonly strategy?: (typeof STRATEGIES)[number];
  readonly level?: (typeof LEVELS)[number];
  /** Milliseconds. */
  readonly keepRecent?: number;
  readonly keepImportant?: number;
  readonly minImportance?: number;
  readonly maxAffected?: number;
}

/** Options of a run. */
export interface RunOptions extends PolicyOptions {
  readonly user?: string;
}

export function toPolicyMessage(
  options: PolicyOptions,
): MessageInitShape<typeof CompactionPolicySchema> & { readonly $typeName?: never } {
  const { keepRecent, keepImportant, minImportance, maxAffected } = options;
  return {
    strategy: toStrategy(options.strategy),
    level: toLevel(options.level),
    ...(keepRecent === undefined ? {} : { keepRecent: durationFromMs(keepRecent) }),
    ...(keepImportant === undefined ? {} : { keepImportant: durationFromMs(keepImportant) }),
    ...(minImportance === undefined ? {} : { minImportance }),
    ...(maxAffected === undefined ? {} : { maxAffectedFraction: maxAffected }),
  };
}

export function toStartRequest(
  options: RunOptions,
): MessageInitShape<typeof StartCompactionRequestSchema> & { readonly $typeName?: never } {
  return { namespace: options.namespace, userId: options.user ?? "", overrides: toPolicyMessage(options) };
}
