import { describe } from "vitest";
import type { Memories } from "../../src/ports/memory/memories.ts";
import { accessCases } from "./memory-store/access.ts";
import { changeCases } from "./memory-store/changes.ts";
import { createCases } from "./memory-store/create.ts";
import { duplicateCases } from "./memory-store/duplicates.ts";
import { durabilityCases } from "./memory-store/durability.ts";
import { expiryCases } from "./memory-store/expiry.ts";
import { filterCases } from "./memory-store/filter.ts";
import { isolationCases } from "./memory-store/isolation.ts";
import { readCases } from "./memory-store/read.ts";
import { requestCases } from "./memory-store/requests.ts";
import { searchCases } from "./memory-store/search.ts";
import { sessionCases } from "./memory-store/sessions.ts";
import { transferCases } from "./memory-store/transfer.ts";
import { type StoreUnderTest, useStore } from "./store-under-test.ts";

/**
 * What every Memories promises, in the words of the port. `open` gives a store for vectors of
 * VECTOR_DIMENSION; it may hold data of others, for each test works in a scope of its own.
 */
export function memoryStoreContract(name: string, open: () => Promise<StoreUnderTest<Memories>>): void {
  describe(`Memories, ${name}`, () => {
    const subject = useStore(open);
    describe("a write", () => createCases(subject));
    describe("a duplicate", () => duplicateCases(subject));
    describe("the session position", () => sessionCases(subject));
    describe("a read or deletion", () => readCases(subject));
    describe("a change", () => changeCases(subject));
    describe("an access", () => accessCases(subject));
    describe("a transfer", () => transferCases(subject));
    describe("an expiring memory", () => expiryCases(subject));
    describe("a filter", () => filterCases(subject));
    describe("a search", () => searchCases(subject));
    describe("repeated requests", () => requestCases(subject));
    describe("a scope", () => isolationCases(subject));
    describe("a restart", () => durabilityCases(subject));
  });
}
