import { toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { TimestampSchema, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  MemorySchema,
  SearchMemoriesResponse_ResultSchema as ResultSchema,
  SearchMemoriesResponseSchema,
} from "#gen/recollect/v1/memory_pb.js";
import type { StoredMemory } from "../../domain/memory/memory.ts";
import type { FoundMemory } from "../../services/memory/search-memories.ts";
import { Encoded } from "../handler.ts";
import { EncodedMemories } from "./encoded-memories.ts";

const RESULTS = SearchMemoriesResponseSchema.field.results.number;
const { memory: MEMORY, score: SCORE, similarity: SIMILARITY, neighbors: NEIGHBORS } = ResultSchema.field;
const { accessCount: ACCESS_COUNT, lastAccessTime: LAST_ACCESS_TIME } = MemorySchema.field;

/**
 * The encoded response of a search without explanations, plan and degradations
 * (https://protobuf.dev/programming-guides/encoding/). The memories, by far the largest part, are encoded once as long as
 * they do not change; access statistics are appended to each. A test compares this with the library.
 */
export function encodeSearch(found: readonly FoundMemory[], namespace: string): Encoded {
  const writer = new BinaryWriter();
  for (const { memory, ranked, similarity, neighbors = [] } of found) {
    writer.tag(RESULTS, WireType.LengthDelimited).fork();
    writeMemory(writer, MEMORY.number, memory, namespace);
    writer.tag(SCORE.number, WireType.Bit32).float(ranked.score);
    if (similarity !== undefined) writer.tag(SIMILARITY.number, WireType.Bit32).float(similarity);
    for (const one of neighbors) writeMemory(writer, NEIGHBORS.number, one, namespace);
    writer.join();
  }
  const bytes = writer.finish();
  return new Encoded(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

function writeMemory(writer: BinaryWriter, field: number, memory: StoredMemory, namespace: string): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  writer.raw(ENCODED.of(memory, namespace));
  if (memory.access !== undefined) {
    const { accessCount, lastAccessTime } = memory.access;
    writer
      .tag(ACCESS_COUNT.number, WireType.Varint)
      .int64(accessCount)
      .tag(LAST_ACCESS_TIME.number, WireType.LengthDelimited)
      .bytes(toBinary(TimestampSchema, timestampFromMs(lastAccessTime)));
  }
  writer.join();
}

const ENCODED = new EncodedMemories();
