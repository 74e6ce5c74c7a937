import type { MessageInitShape } from "@bufbuild/protobuf";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import {
  type GetCachePolicyResponseSchema,
  CacheGuard as ProtoGuard,
  type CachePolicy as ProtoPolicy,
} from "#gen/recollect/v1/cache_pb.js";
import type { GuardStrictness } from "../../domain/cache/guard-strictness.ts";
import { type CachePolicy, type CachePolicyField, cachePolicyEtag } from "../../domain/cache/policy.ts";
import type { EffectivePolicy } from "../../services/cache/cache-policy.ts";
import { defined, fromMs } from "./common.ts";
import { unchangeablePaths } from "./update-mask.ts";

/** Undefined for UNSPECIFIED. */
export function toGuard(guard: ProtoGuard): GuardStrictness | undefined {
  switch (guard) {
    case ProtoGuard.UNSPECIFIED:
      return undefined;
    case ProtoGuard.STRICT:
      return "strict";
    case ProtoGuard.BALANCED:
      return "balanced";
    case ProtoGuard.CLOSED:
      return "closed";
    case ProtoGuard.OFF:
      return "off";
  }
}

const GUARDS: Readonly<Record<GuardStrictness, ProtoGuard>> = {
  strict: ProtoGuard.STRICT,
  balanced: ProtoGuard.BALANCED,
  closed: ProtoGuard.CLOSED,
  off: ProtoGuard.OFF,
};

export function fromGuard(guard: GuardStrictness | undefined): ProtoGuard {
  return guard === undefined ? ProtoGuard.UNSPECIFIED : GUARDS[guard];
}

export function toPolicy({ guard }: ProtoPolicy): CachePolicy {
  return defined({ guard: toGuard(guard) });
}

/**
 * The fields to update: those of the mask, all for `*`, or without a mask those that are set. Throws REQUEST_INVALID for a
 * path that is no field or that cannot be changed.
 */
export function toPolicyFields(mask: FieldMask | undefined, policy: ProtoPolicy): CachePolicyField[] {
  if (mask === undefined) return policy.guard === ProtoGuard.UNSPECIFIED ? [] : ["guard"];
  if (mask.paths.includes("*")) return ["guard"];
  const unknown = mask.paths.filter((path) => path !== "guard");
  if (unknown.length > 0) throw unchangeablePaths(unknown);
  return mask.paths.length === 0 ? [] : ["guard"];
}

export function fromEffectivePolicy({
  policy,
  guard,
}: EffectivePolicy): MessageInitShape<typeof GetCachePolicyResponseSchema> & { readonly $typeName?: never } {
  return {
    policy: {
      guard: fromGuard(policy.guard),
      etag: cachePolicyEtag(policy),
      ...defined({ updateTime: fromMs(policy.updateTime) }),
    },
    effectiveGuard: fromGuard(guard),
  };
}
