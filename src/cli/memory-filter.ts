import type { MessageInitShape } from "@bufbuild/protobuf";
import type { MemoryFilterSchema } from "#gen/recollect/v1/memory_pb.js";
import { type KindName, toKind } from "./kind-names.ts";

/** Filter options; see addFilterOptions of program.ts. */
export interface FilterOptions {
  readonly user?: string;
  readonly session?: string;
  readonly kind: readonly KindName[];
  readonly tag: readonly string[];
}

/** The filter of the API; undefined without options: the default filter. */
export function toFilter(options: FilterOptions): MessageInitShape<typeof MemoryFilterSchema> | undefined {
  const { user = "", session = "", kind, tag } = options;
  if (user === "" && session === "" && kind.length === 0 && tag.length === 0) return undefined;
  return {
    userId: user,
    sessionId: session,
    kinds: [...new Set(kind.map(toKind))],
    tagsAll: [...new Set(tag)],
  };
}
