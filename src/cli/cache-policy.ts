import { toJson } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  CacheGuard,
  type GetCachePolicyResponse,
  GetCachePolicyResponseSchema,
  type UpdateCachePolicyResponse,
  UpdateCachePolicyResponseSchema,
} from "#gen/recollect/v1/cache_pb.js";
import type { GuardStrictness } from "../domain/cache/guard-strictness.ts";
import { connect } from "./client.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import { formatFields } from "./format-fields.ts";
import type { GlobalOptions } from "./global-options.ts";
import { guardName, toGuard } from "./guard-names.ts";
import { print } from "./output.ts";

export interface CachePolicySetOptions extends GlobalOptions {
  /** `server`: the setting of the server applies again. */
  readonly guard: GuardStrictness | "server";
  readonly etag?: string;
}

/** Prints the cache policy of a namespace. */
export async function cachePolicyGet(options: GlobalOptions): Promise<ExitCode> {
  const response = await connect(options).cache.getCachePolicy({ namespace: options.namespace });
  if (options.json) print(JSON.stringify(toJson(GetCachePolicyResponseSchema, response)));
  else for (const line of formatPolicy(response)) print(line);
  return EXIT_CODE.ok;
}

/** Changes the cache policy of a namespace, and prints it. */
export async function cachePolicySet(options: CachePolicySetOptions): Promise<ExitCode> {
  const guard = options.guard === "server" ? CacheGuard.UNSPECIFIED : toGuard(options.guard);
  const response = await connect(options).cache.updateCachePolicy({
    namespace: options.namespace,
    policy: { guard, etag: options.etag ?? "" },
    updateMask: { paths: ["guard"] },
  });
  if (options.json) print(JSON.stringify(toJson(UpdateCachePolicyResponseSchema, response)));
  else for (const line of formatPolicy(response)) print(line);
  return EXIT_CODE.ok;
}

function formatPolicy({
  policy,
  effectiveGuard,
}: GetCachePolicyResponse | UpdateCachePolicyResponse): string[] {
  const isOwn = policy !== undefined && policy.guard !== CacheGuard.UNSPECIFIED;
  const { updateTime } = policy ?? {};
  return formatFields([
    ["guard", `${guardName(effectiveGuard)}${isOwn ? "" : " (the server's)"}`],
    ["changed", updateTime === undefined ? "never" : timestampDate(updateTime).toISOString()],
    ["etag", policy?.etag ?? ""],
  ]);
}
