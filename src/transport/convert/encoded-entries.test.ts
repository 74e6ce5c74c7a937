import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { CacheEntrySchema } from "#gen/recollect/v1/cache_pb.js";
import { cacheEntry } from "../../../test/support/builders.ts";
import { fromEntry } from "./cache.ts";
import { EncodedEntries } from "./encoded-entries.ts";

describe("EncodedEntries", () => {
  it("encodes an entry once by its etag, whichever object holds it", () => {
    const entries = new EncodedEntries();
    const entry = cacheEntry({ etag: "e1" });
    const bytes = entries.of(entry, "n");
    expect(bytes).toEqual(toBinary(CacheEntrySchema, create(CacheEntrySchema, fromEntry(entry, "n"))));
    expect(entries.of({ ...entry }, "n")).toBe(bytes);
  });

  it("encodes an entry again when its etag changes", () => {
    const entries = new EncodedEntries();
    const changed = cacheEntry({ etag: "e2", response: "another" });
    entries.of(cacheEntry({ etag: "e1" }), "n");
    expect(entries.of(changed, "n")).toEqual(
      toBinary(CacheEntrySchema, create(CacheEntrySchema, fromEntry(changed, "n"))),
    );
  });

  it("is bounded in bytes: evicts the least recently used entry first", () => {
    const entries = new EncodedEntries();
    const large = (etag: string) => cacheEntry({ etag, response: "x".repeat(1024 * 1024) });
    const first = entries.of(large("0"), "n");
    for (let index = 1; index <= 16; index += 1) entries.of(large(String(index)), "n");
    expect(entries.of(large("0"), "n")).not.toBe(first);
    const last = entries.of(large("16"), "n");
    expect(entries.of(large("16"), "n")).toBe(last);
  });
});
