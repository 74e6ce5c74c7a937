import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import {
  LookupCacheResponse_HitSchema as HitSchema,
  LookupCacheResponseSchema,
  LookupCacheResponse_Hit_Match as Match,
} from "#gen/recollect/v1/cache_pb.js";
import type { CacheOutcome } from "../../services/cache/lookup-cache.ts";
import { Encoded } from "../handler.ts";

const { decisionId: DECISION_ID, hit: HIT } = LookupCacheResponseSchema.field;
const {
  entry: ENTRY,
  match: MATCH,
  similarity: SIMILARITY,
  threshold: THRESHOLD,
  age: AGE,
} = HitSchema.field;
const { seconds: SECONDS, nanos: NANOS } = DurationSchema.field;

/**
 * The response of a hit as its bytes (https://protobuf.dev/programming-guides/encoding/). `entry` is encoded already
 * (see EncodedEntries), `decisionId` is ASCII. Both are copied once, which saves 5 us against handing them to the library's
 * writer, and 20 against encoding the whole message; a test compares the two.
 */
export function encodeHit(
  decisionId: string,
  hit: CacheOutcome & { readonly kind: "hit" },
  entry: Uint8Array,
): Encoded {
  const entryHead = lengthDelimited(ENTRY.number, entry.length);
  const fields = new BinaryWriter()
    .tag(MATCH.number, WireType.Varint)
    .int32(Match[hit.match])
    .tag(SIMILARITY.number, WireType.Bit32)
    .float(hit.similarity)
    .tag(THRESHOLD.number, WireType.Bit32)
    .float(hit.threshold)
    .tag(AGE.number, WireType.LengthDelimited)
    .fork()
    .tag(SECONDS.number, WireType.Varint)
    .int64(Math.floor(hit.ageMs / 1000))
    .tag(NANOS.number, WireType.Varint)
    .int32((hit.ageMs % 1000) * 1_000_000)
    .join()
    .finish();
  return new Encoded(
    Buffer.concat([
      lengthDelimited(DECISION_ID.number, decisionId.length),
      Buffer.from(decisionId, "latin1"),
      lengthDelimited(HIT.number, entryHead.length + entry.length + fields.length),
      entryHead,
      entry,
      fields,
    ]),
  );
}

/** The tag of a field and the length of what follows. */
function lengthDelimited(field: number, length: number): Uint8Array {
  return new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(length).finish();
}
