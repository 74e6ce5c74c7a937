import { create, type JsonValue, toJson } from "@bufbuild/protobuf";
import { CacheEntrySchema } from "#gen/recollect/v1/cache_pb.js";
import {
  MemorySchema,
  ListMemoryRevisionsResponse_RevisionSchema as RevisionSchema,
} from "#gen/recollect/v1/memory_pb.js";
import type { CacheEntry } from "../../../src/domain/cache/entry.ts";
import type { Memory, StoredMemory } from "../../../src/domain/memory/memory.ts";
import type { MemoryRevision } from "../../../src/domain/memory/revision.ts";
import { fromEntry } from "../../../src/transport/convert/cache.ts";
import { exportedMemory, fromRevision, fromStoredMemory } from "../../../src/transport/convert/memory.ts";

/** A memory or an entry as a caller reads it. */
export type Shown = JsonValue;

/** A memory that a search may return, with its scores. */
export interface Scored {
  readonly memory: Shown;
  readonly neighbors: readonly Shown[];
  readonly id: string;
  readonly score: number;
  readonly similarity?: number;
  readonly bm25?: number;
}

/** The answer of an operation, the same at every level. */
export type Answer =
  | { readonly kind: "refused"; readonly reason: string | undefined }
  | { readonly kind: "plain"; readonly value: unknown }
  | { readonly kind: "counts"; readonly memories: number; readonly cacheEntries: number }
  | {
      readonly kind: "search";
      readonly found: readonly Scored[];
      /** Only of the naive service: all that was ranked, those below the least similarity too. */
      readonly ranked?: readonly Pick<Scored, "similarity" | "bm25">[];
    };

/** The expected answer, by the reference. */
export type Expected =
  | Exclude<Answer, { readonly kind: "counts" } | { readonly kind: "search" }>
  /** Expired memories count until they are swept. */
  | {
      readonly kind: "counts";
      readonly least: { readonly memories: number; readonly cacheEntries: number };
      readonly most: { readonly memories: number; readonly cacheEntries: number };
    }
  | {
      readonly kind: "search";
      /** All that may be answered, best first. */
      readonly ranked: readonly Scored[];
      readonly limit: number;
      /** Whether scores may be compared; see expectSame. */
      readonly comparable: boolean;
    };

export function shownMemory(memory: StoredMemory, namespace: string): Shown {
  return toJson(MemorySchema, create(MemorySchema, fromStoredMemory(memory, namespace)));
}

/** As an export gives it. */
export function shownExport(memory: Memory): Shown {
  return toJson(MemorySchema, create(MemorySchema, exportedMemory(memory)));
}

export function shownRevision(revision: MemoryRevision, namespace: string): Shown {
  return toJson(RevisionSchema, create(RevisionSchema, fromRevision(revision, namespace)));
}

/** The progress of an import after one message. */
export interface ImportStep {
  readonly imported: number;
  readonly skipped: number;
  readonly expired: number;
  readonly refused: number;
  /** Places in this message. */
  readonly refusedHere: readonly number[];
}

/** Without its etag, which is the business of the use case that makes it. */
export function shownEntry(entry: CacheEntry, namespace: string): Shown {
  return toJson(CacheEntrySchema, create(CacheEntrySchema, { ...fromEntry(entry, namespace), etag: "" }));
}
