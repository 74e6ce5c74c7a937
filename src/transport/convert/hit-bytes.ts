import { create, toBinary } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import {
  CacheEntrySchema,
  LookupCacheResponse_HitSchema as HitSchema,
  LookupCacheResponseSchema,
  LookupCacheResponse_Hit_Match as Match,
} from "#gen/recollect/v1/cache_pb.js";
import type { CacheEntry } from "../../domain/cache/entry.ts";
import type { CacheOutcome } from "../../services/cache/lookup-cache.ts";
import { Encoded } from "../handler.ts";
import { fromEntry } from "./cache.ts";
import { encodedOnce } from "./encoded-once.ts";

type Hit = CacheOutcome & { readonly kind: "hit" };

const tag = (field: { readonly number: number }, wireType: WireType): number =>
  (field.number << 3) | wireType;

const DECISION_ID = tag(LookupCacheResponseSchema.field.decisionId, WireType.LengthDelimited);
const HIT = tag(LookupCacheResponseSchema.field.hit, WireType.LengthDelimited);
const ENTRY = tag(HitSchema.field.entry, WireType.LengthDelimited);
const MATCH = tag(HitSchema.field.match, WireType.Varint);
const SIMILARITY = tag(HitSchema.field.similarity, WireType.Bit32);
const THRESHOLD = tag(HitSchema.field.threshold, WireType.Bit32);
const AGE = tag(HitSchema.field.age, WireType.LengthDelimited);
const SECONDS = tag(DurationSchema.field.seconds, WireType.Varint);
const NANOS = tag(DurationSchema.field.nanos, WireType.Varint);

/** A tag and a length. */
const MAX_HEAD_BYTES = 6;
/** Where the fields of a hit beside its entry are written, to know their length before that is written. */
const fields = Buffer.alloc(64);

/**
 * The response of a hit as its bytes (https://protobuf.dev/programming-guides/encoding/). The entry, by far the most of
 * it, is encoded once as long as the store answers with the same object; the few fields around it are written into one
 * piece of pooled memory. The library's writer takes six pieces of its own for that, a tenth of what an exact hit
 * costs; a test holds this against it, field by field. `decisionId` is ASCII.
 */
export function encodeHit(decisionId: string, hit: Hit, namespace: string): Encoded {
  const entry = encodedEntry(hit.entry, namespace);
  const fieldsLength = writeFields(fields, hit);
  const hitLength = 1 + varintLength(entry.length) + entry.length + fieldsLength;
  const bytes = Buffer.allocUnsafe(2 * MAX_HEAD_BYTES + decisionId.length + hitLength);
  let at = writeHead(bytes, 0, DECISION_ID, decisionId.length);
  at += bytes.write(decisionId, at, "latin1");
  at = writeHead(bytes, at, HIT, hitLength);
  at = writeHead(bytes, at, ENTRY, entry.length);
  bytes.set(entry, at);
  at += entry.length;
  at += fields.copy(bytes, at, 0, fieldsLength);
  return new Encoded(bytes.subarray(0, at));
}

/** Writes everything but the entry from the beginning of `bytes` on, and answers where it ends. */
function writeFields(bytes: Buffer, hit: Hit): number {
  let at = writeHead(bytes, 0, MATCH, Match[hit.match]);
  bytes[at] = SIMILARITY;
  at = bytes.writeFloatLE(hit.similarity, at + 1);
  bytes[at] = THRESHOLD;
  at = bytes.writeFloatLE(hit.threshold, at + 1);
  const seconds = Math.floor(hit.ageMs / 1000);
  const nanos = (hit.ageMs % 1000) * 1_000_000;
  at = writeHead(bytes, at, AGE, 2 + varintLength(seconds) + varintLength(nanos));
  at = writeHead(bytes, at, SECONDS, seconds);
  return writeHead(bytes, at, NANOS, nanos);
}

/** A tag, which takes one byte for the first fifteen fields, and a number behind it; answers where they end. */
function writeHead(bytes: Buffer, start: number, fieldTag: number, value: number): number {
  bytes[start] = fieldTag;
  let at = start + 1;
  let rest = value;
  for (; rest >= 128; at += 1) {
    bytes[at] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  bytes[at] = rest;
  return at + 1;
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length += 1;
  return length;
}

const encodedEntry = encodedOnce((entry: CacheEntry, namespace) =>
  toBinary(CacheEntrySchema, create(CacheEntrySchema, fromEntry(entry, namespace))),
);
