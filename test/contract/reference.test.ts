import { referenceStores } from "../support/reference/backend.ts";
import { cacheStoreContract } from "./cache/cache-store.ts";
import { cachePolicyStoreContract } from "./cache/policies.ts";
import { compactionStoreContract } from "./compaction/compaction-store.ts";
import { memoriesContract } from "./memory/memories.ts";
import { namespaceStoreContract } from "./namespace-store.ts";
import { MAX_REVISIONS, type StoreUnderTest } from "./store-under-test.ts";

// What other stores are compared with has to be right itself.
memoriesContract("reference", () => openInMemory(({ memories }) => memories));
cacheStoreContract("reference", () => openInMemory(({ cache }) => cache));
cachePolicyStoreContract("reference", () => openInMemory((stores) => stores));
compactionStoreContract("reference", () => openInMemory((stores) => stores));
namespaceStoreContract("reference", () => openInMemory((stores) => stores));

/** Nothing to open or to close: a restart keeps the data in memory. */
async function openInMemory<Store>(
  storeOf: (stores: ReturnType<typeof referenceStores>) => Store,
): Promise<StoreUnderTest<Store>> {
  const store = storeOf(referenceStores(undefined, { maxRevisions: MAX_REVISIONS }));
  return { store, reopen: async () => undefined, [Symbol.asyncDispose]: async () => undefined };
}
