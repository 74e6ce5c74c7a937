import type { IndexInfo, IndexStore } from "../../ports/index-store.ts";

/** The state of the search indexes, of all tenants together. */
export function getIndexInfo(ports: {
  readonly indexes: Pick<IndexStore, "info">;
}): Promise<readonly IndexInfo[]> {
  return ports.indexes.info();
}
