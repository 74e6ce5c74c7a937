import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { CompactionService } from "#gen/recollect/v1/compaction_pb.js";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { OperationsService } from "#gen/recollect/v1/operations_pb.js";
import type { Access } from "../domain/access/access.ts";

/** A row for each RPC of a service; a missing or superfluous row does not compile. */
type Table<S extends DescService> = { readonly [K in keyof S["method"]]: Access };

const READER: Access = { roles: ["reader"] };
const WRITER: Access = { roles: ["writer"] };
const OPERATOR: Access = { roles: ["operator"] };
const ADMIN: Access = { roles: ["admin"] };
/** Counts, states and plans, for readers and for operators who are not readers. */
const READER_OR_OPERATOR: Access = { roles: ["reader", "operator"] };
/** Entries of all cache scopes, which callers of one tenant keep apart from each other. */
const READER_OF_ALL_SCOPES: Access = { roles: ["reader"], debug: true };
const WRITER_OF_ALL_SCOPES: Access = { roles: ["writer"], debug: true };

const MEMORY: Table<typeof MemoryService> = {
  createMemory: WRITER,
  batchCreateMemories: WRITER,
  getMemory: READER,
  batchGetMemories: READER,
  listMemories: READER,
  updateMemory: WRITER,
  deleteMemory: WRITER,
  purgeMemories: WRITER,
  searchMemories: READER,
  buildContext: READER,
  listMemoryRevisions: READER,
  restoreMemory: WRITER,
  importMemories: WRITER,
  exportMemories: READER,
  watchMemories: READER,
  listNamespaces: READER_OR_OPERATOR,
  getNamespaceStats: READER_OR_OPERATOR,
  deleteNamespace: ADMIN,
};

const CACHE: Table<typeof CacheService> = {
  lookupCache: READER,
  storeCacheEntry: WRITER,
  storeCacheStream: WRITER,
  replayCacheEntry: READER_OF_ALL_SCOPES,
  releaseCacheLease: WRITER,
  reportCacheOutcome: WRITER,
  getCacheEntry: READER_OF_ALL_SCOPES,
  listCacheEntries: READER_OF_ALL_SCOPES,
  deleteCacheEntry: WRITER,
  invalidateCache: { roles: ["writer", "operator"] },
  calibrateCache: OPERATOR,
  simulateCache: READER_OR_OPERATOR,
  getCacheStats: READER_OR_OPERATOR,
  getCachePolicy: READER_OR_OPERATOR,
  updateCachePolicy: OPERATOR,
  importCacheEntries: WRITER_OF_ALL_SCOPES,
  exportCacheEntries: READER_OF_ALL_SCOPES,
};

const COMPACTION: Table<typeof CompactionService> = {
  startCompaction: OPERATOR,
  getCompaction: READER_OR_OPERATOR,
  listCompactions: READER_OR_OPERATOR,
  watchCompaction: READER_OR_OPERATOR,
  approveCompaction: OPERATOR,
  cancelCompaction: OPERATOR,
  undoCompaction: OPERATOR,
  getCompactionPolicy: READER_OR_OPERATOR,
  updateCompactionPolicy: OPERATOR,
};

const OPERATIONS: Table<typeof OperationsService> = {
  getServerInfo: { roles: ["reader", "writer", "operator", "admin"] },
  getIndexInfo: OPERATOR,
  rebuildIndex: OPERATOR,
  getEmbeddingInfo: OPERATOR,
  startReembedding: OPERATOR,
  getReembedding: OPERATOR,
};

/** The roles that each RPC needs. docs/security.md documents the same table. */
export const ACCESS_OF_METHOD: ReadonlyMap<DescMethod, Access> = new Map([
  ...rowsOf(MemoryService, MEMORY),
  ...rowsOf(CacheService, CACHE),
  ...rowsOf(CompactionService, COMPACTION),
  ...rowsOf(OperationsService, OPERATIONS),
]);

/** Needed in addition by a lookup or a store with `scope.shared`, which acts for the whole tenant. */
export const ACCESS_TO_SHARED_SCOPE: Access = WRITER;

function rowsOf<S extends DescService>(service: S, table: Table<S>): (readonly [DescMethod, Access])[] {
  return service.methods.map((method) => [method, table[method.localName as keyof S["method"]]]);
}
