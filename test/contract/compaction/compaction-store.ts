import { describe } from "vitest";
import { type StoreUnderTest, useStore } from "../store-under-test.ts";
import { changedScopeCases } from "./changed-scopes.ts";
import { groupCases } from "./groups.ts";
import { leaseCases } from "./leases.ts";
import { policyCases } from "./policies.ts";
import { roundTripCases } from "./round-trip.ts";
import { runCases } from "./runs.ts";
import type { Stores } from "./support.ts";
import { writeCases } from "./write.ts";

/**
 * The contract of CompactionStore. `open` returns the stores of a deployment of its own, for vectors of VECTOR_DIMENSION:
 * some methods are about all namespaces.
 */
export function compactionStoreContract(name: string, open: () => Promise<StoreUnderTest<Stores>>): void {
  describe(`CompactionStore, ${name}`, () => {
    const subject = useStore(open);
    describe("a run", () => runCases(subject));
    describe("a lease", () => leaseCases(subject));
    describe("a plan", () => groupCases(subject));
    describe("a write", () => writeCases(subject));
    describe("changes and their inverse", () => roundTripCases(subject));
    describe("a changed scope", () => changedScopeCases(subject));
    describe("a policy", () => policyCases(subject));
  });
}
