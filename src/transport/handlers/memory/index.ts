import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import type { Memories } from "../../../ports/memory/memories.ts";
import type { NamespaceStore } from "../../../ports/namespace-store.ts";
import type { EraseFromSummary } from "../../../services/compaction/erase-sources.ts";
import type { CreateMemoriesPorts } from "../../../services/memory/create-memories.ts";
import type { SearchMemoriesPorts } from "../../../services/memory/search-memories.ts";
import type { WatchMemoriesPorts } from "../../../services/memory/watch-memories.ts";
import { type ServedService, serve } from "../../handler.ts";
import { batchCreateMemoriesHandler } from "./batch-create-memories.ts";
import { batchGetMemoriesHandler } from "./batch-get-memories.ts";
import { createMemoryHandler } from "./create-memory.ts";
import { deleteMemoryHandler } from "./delete-memory.ts";
import { deleteNamespaceHandler } from "./delete-namespace.ts";
import { exportMemoriesHandler } from "./export-memories.ts";
import { getMemoryHandler } from "./get-memory.ts";
import { getNamespaceStatsHandler } from "./get-namespace-stats.ts";
import { importMemoriesHandler } from "./import-memories.ts";
import { listMemoriesHandler } from "./list-memories.ts";
import { listMemoryRevisionsHandler } from "./list-memory-revisions.ts";
import { listNamespacesHandler } from "./list-namespaces.ts";
import { purgeMemoriesHandler } from "./purge-memories.ts";
import { restoreMemoryHandler } from "./restore-memory.ts";
import { searchMemoriesHandler } from "./search-memories.ts";
import { updateMemoryHandler } from "./update-memory.ts";
import { watchMemoriesHandler } from "./watch-memories.ts";

/** The ports of all use cases of MemoryService. */
export type MemoryPorts = CreateMemoriesPorts &
  SearchMemoriesPorts &
  WatchMemoriesPorts & {
    readonly memories: Memories;
    readonly namespaces: NamespaceStore;
    readonly eraseFromSummary: EraseFromSummary;
  };

/** MemoryService. Each handler converts the request, calls one use case, and converts its output. */
export function memoryHandlers(ports: MemoryPorts): ServedService {
  return serve(MemoryService, {
    createMemory: createMemoryHandler(ports),
    batchCreateMemories: batchCreateMemoriesHandler(ports),
    getMemory: getMemoryHandler(ports),
    batchGetMemories: batchGetMemoriesHandler(ports),
    listMemories: listMemoriesHandler(ports),
    updateMemory: updateMemoryHandler(ports),
    deleteMemory: deleteMemoryHandler(ports),
    purgeMemories: purgeMemoriesHandler(ports),
    searchMemories: searchMemoriesHandler(ports),
    listMemoryRevisions: listMemoryRevisionsHandler(ports),
    restoreMemory: restoreMemoryHandler(ports),
    importMemories: importMemoriesHandler(ports),
    exportMemories: exportMemoriesHandler(ports),
    watchMemories: watchMemoriesHandler(ports),
    listNamespaces: listNamespacesHandler(ports),
    getNamespaceStats: getNamespaceStatsHandler(ports),
    deleteNamespace: deleteNamespaceHandler(ports),
  });
}
