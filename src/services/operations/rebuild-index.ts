import type { IndexStore, RebuildProgress } from "../../ports/index-store.ts";
import type { CallContext } from "../call.ts";

/** Rebuilds all search indexes while they serve. Rejects with INDEX_REBUILD_RUNNING. */
export function rebuildIndex(
  ports: { readonly indexes: Pick<IndexStore, "rebuild"> },
  context: Pick<CallContext, "signal">,
): AsyncIterable<RebuildProgress> {
  return ports.indexes.rebuild(context.signal);
}
