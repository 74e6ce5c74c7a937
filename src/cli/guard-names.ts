import { CacheGuard } from "#gen/recollect/v1/cache_pb.js";
import { GUARD_STRICTNESS, type GuardStrictness } from "../domain/cache/guard-strictness.ts";

const GUARDS: Readonly<Record<GuardStrictness, CacheGuard>> = {
  strict: CacheGuard.STRICT,
  balanced: CacheGuard.BALANCED,
  closed: CacheGuard.CLOSED,
  off: CacheGuard.OFF,
};

/** The API value of a strictness. */
export function toGuard(name: GuardStrictness): CacheGuard {
  return GUARDS[name];
}

/** Empty for UNSPECIFIED. */
export function guardName(guard: CacheGuard): string {
  return GUARD_STRICTNESS.find((name) => GUARDS[name] === guard) ?? "";
}
