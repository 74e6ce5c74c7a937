import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { CacheEntrySchema } from "#gen/recollect/v1/cache_pb.js";
import {
  MemorySchema,
  SearchMemoriesResponse_ResultSchema as ResultSchema,
  ListMemoryRevisionsResponse_RevisionSchema as RevisionSchema,
  SearchMemoriesResponseSchema,
} from "#gen/recollect/v1/memory_pb.js";
import { countFitting, type SizedAnswer } from "../../domain/answer-size.ts";
import type { CacheEntry } from "../../domain/cache/entry.ts";
import type { StoredMemory } from "../../domain/memory/memory.ts";
import type { MemoryRevision } from "../../domain/memory/revision.ts";
import type { FoundMemory, SearchMemoriesOutput } from "../../services/memory/search-memories.ts";
import { fromEntry } from "./cache.ts";
import { maxEntryBytes, maxMemoryBytes, maxTextsBytes } from "./max-bytes.ts";
import { fromRevision, fromStoredMemory } from "./memory.ts";
import { searchDetails, searchResult } from "./search-result.ts";

/** Bytes of a result without its memory and its matched terms: tags, lengths and numbers. */
const RESULT_BYTES = 128;
/** Bytes of a revision without its memory: tags, lengths, number and time. */
const REVISION_BYTES = 64;
/** Bytes of the field `truncated`. */
const FLAG_BYTES = 2;

/** Bytes of a message as a field of another, with the tag (field number below 16) and the length. */
export function fieldBytes<Desc extends DescMessage>(schema: Desc, message: MessageInitShape<Desc>): number {
  return withHead(bytesOf(schema, message));
}

function bytesOf<Desc extends DescMessage>(schema: Desc, message: MessageInitShape<Desc>): number {
  return toBinary(schema, create(schema, message)).length;
}

/** Bytes of a memory as a field of another message. Its text, by far the largest part, is counted and not encoded. */
export function memoryFieldBytes(memory: StoredMemory, namespace: string): number {
  const { text } = memory;
  const bytes = bytesOf(MemorySchema, { ...fromStoredMemory(memory, namespace), text: "" });
  return withHead(bytes + textBytes(text));
}

function entryFieldBytes(entry: CacheEntry, namespace: string): number {
  const { prompt, response } = entry;
  const bytes = bytesOf(CacheEntrySchema, { ...fromEntry(entry, namespace), prompt: "", response: "" });
  return withHead(bytes + textBytes(prompt) + textBytes(response));
}

function resultFieldBytes(one: FoundMemory, namespace: string, explain: boolean): number {
  const { memory, neighbors = [] } = one;
  const { memory: _memory, neighbors: _neighbors, ...rest } = searchResult(one, namespace, explain);
  const bytes = [memory, ...neighbors].reduce((sum, each) => sum + memoryFieldBytes(each, namespace), 0);
  return withHead(bytesOf(ResultSchema, { ...rest, neighbors: [] }) + bytes);
}

/** Bytes of a repeated string field with a field number below 16. */
export function textsBytes(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + withHead(Buffer.byteLength(text)), 0);
}

/** Bytes of a string field with a field number below 16; an empty one is not written. */
export function textBytes(text: string): number {
  return text === "" ? 0 : textsBytes([text]);
}

/** Bytes of a field of this length, with its tag (field number below 16) and its length prefix. */
export function withHead(length: number): number {
  let bytes = length + 2;
  for (let rest = length; rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}

interface Room {
  readonly namespace: string;
  readonly maxBytes: number;
}

/** How many of the first memories fit; `beside` is the size of the rest of the response, by that number. */
export function fittingMemories(
  memories: readonly StoredMemory[],
  { namespace, maxBytes, beside }: Room & { readonly beside: (fitted: number) => number },
): number {
  return countFitting(
    {
      items: memories,
      atMost: (memory) => maxMemoryBytes(memory, namespace),
      bytesOf: (memory) => memoryFieldBytes(memory, namespace),
      beside,
    },
    maxBytes,
  );
}

/** How many of the first revisions fit; `beside` is the size of the rest of the response, by that number. */
export function fittingRevisions(
  revisions: readonly MemoryRevision[],
  { namespace, maxBytes, beside }: Room & { readonly beside: (fitted: number) => number },
): number {
  return countFitting(
    {
      items: revisions,
      atMost: ({ memory }) => REVISION_BYTES + maxMemoryBytes(memory, namespace),
      bytesOf: (revision) => fieldBytes(RevisionSchema, fromRevision(revision, namespace)),
      beside,
    },
    maxBytes,
  );
}

/** How many of the first entries fit; `beside` is the size of the rest of the response, by that number. */
export function fittingEntries(
  entries: readonly CacheEntry[],
  { namespace, maxBytes, beside }: Room & { readonly beside: (fitted: number) => number },
): number {
  return countFitting(
    {
      items: entries,
      atMost: (entry) => maxEntryBytes(entry, namespace),
      bytesOf: (entry) => entryFieldBytes(entry, namespace),
      beside,
    },
    maxBytes,
  );
}

/**
 * How many of the first found memories fit into the response of a search, with their neighbours. One at least, unless it has
 * neighbours and takes too much with them: then 0.
 */
export function fittingResults(
  output: Omit<SearchMemoriesOutput, "truncated">,
  { namespace, maxBytes, explain }: Room & { readonly explain: boolean },
): number {
  const { found } = output;
  const details = searchDetails(output, explain);
  const detailsBytes =
    output.degraded.length === 0 && details.plan === undefined
      ? 0
      : bytesOf(SearchMemoriesResponseSchema, details);
  const maxTermsBytes = (matchedTerms: readonly string[]): number =>
    explain ? maxTextsBytes(matchedTerms) : 0;
  const answer: SizedAnswer<FoundMemory> = {
    items: found,
    atMost: ({ memory, matchedTerms, neighbors = [] }) =>
      RESULT_BYTES +
      [memory, ...neighbors].reduce((sum, one) => sum + maxMemoryBytes(one, namespace), 0) +
      maxTermsBytes(matchedTerms),
    bytesOf: (one) => resultFieldBytes(one, namespace, explain),
    beside: (fitted) => detailsBytes + (fitted < found.length ? FLAG_BYTES : 0),
  };
  const count = countFitting(answer, maxBytes);
  const [first] = found;
  const hasNeighbors = (first?.neighbors ?? []).length > 0;
  if (count > 1 || first === undefined || !hasNeighbors) return count;
  return answer.bytesOf(first) + answer.beside(1) <= maxBytes ? 1 : 0;
}
