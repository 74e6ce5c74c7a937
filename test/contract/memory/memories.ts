import { describe } from "vitest";
import type { Memories } from "../../../src/ports/memory/memories.ts";
import { type StoreUnderTest, useStore } from "../store-under-test.ts";
import { accessCases } from "./access-counts.ts";
import { durabilityCases } from "./durability.ts";
import { expiryCases } from "./expiry.ts";
import { filterCases } from "./filter.ts";
import { historyCases } from "./history.ts";
import { isolationCases } from "./isolation.ts";
import { neighborCases } from "./neighbors.ts";
import { purgeCases } from "./purge.ts";
import { readerCases } from "./reader.ts";
import { revisionCases } from "./revisions.ts";
import { searchCases } from "./search.ts";
import { transferCases } from "./transfer.ts";
import { vectorCases } from "./vectors.ts";
import { createCases } from "./writer/create.ts";
import { deleteCases } from "./writer/delete.ts";
import { duplicateCases } from "./writer/duplicates.ts";
import { idempotencyCases } from "./writer/idempotency.ts";
import { recallLoopCases } from "./writer/recall-loop.ts";
import { replaceCases } from "./writer/replace.ts";
import { sessionCases } from "./writer/sessions.ts";
import { supersessionCases } from "./writer/supersession.ts";

/**
 * The contract of the memory ports. `open` returns a store for vectors of
 * VECTOR_DIMENSION that keeps MAX_REVISIONS; it may hold data of others, for each test works in a scope of its own.
 */
export function memoriesContract(name: string, open: () => Promise<StoreUnderTest<Memories>>): void {
  describe(`Memories, ${name}`, () => {
    const subject = useStore(open);
    describe("a read", () => readerCases(subject));
    describe("a filter", () => filterCases(subject));
    describe("the past", () => historyCases(subject));
    describe("neighbours", () => neighborCases(subject));
    describe("a write", () => createCases(subject));
    describe("a duplicate", () => duplicateCases(subject));
    describe("a recall loop", () => recallLoopCases(subject));
    describe("a supersession", () => supersessionCases(subject));
    describe("the session position", () => sessionCases(subject));
    describe("a replacement", () => replaceCases(subject));
    describe("a revision", () => revisionCases(subject));
    describe("a deletion", () => deleteCases(subject));
    describe("a retried request", () => idempotencyCases(subject));
    describe("a purge", () => purgeCases(subject));
    describe("a transfer", () => transferCases(subject));
    describe("a search", () => searchCases(subject));
    describe("vectors", () => vectorCases(subject));
    describe("an access", () => accessCases(subject));
    describe("an expiring memory", () => expiryCases(subject));
    describe("a scope", () => isolationCases(subject));
    describe("a restart", () => durabilityCases(subject));
  });
}
