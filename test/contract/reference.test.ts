import type { FeedLimits } from "../../src/domain/memory/changes.ts";
import { referenceStores } from "../support/reference/backend.ts";
import { emptyUniverse } from "../support/reference/world.ts";
import { cacheStoreContract } from "./cache/cache-store.ts";
import { cachePolicyStoreContract } from "./cache/policies.ts";
import { compactionStoreContract } from "./compaction/compaction-store.ts";
import { changeFeedContract, SMALL_FEED } from "./memory/changes.ts";
import { memoriesContract } from "./memory/memories.ts";
import { namespaceStoreContract } from "./namespace-store.ts";
import { MAX_REVISIONS, type StoreUnderTest } from "./store-under-test.ts";

// What other stores are compared with has to be right itself.
memoriesContract("reference", () => openInMemory(({ memories }) => memories));
changeFeedContract("reference", () => openInMemory((stores) => stores, SMALL_FEED), {
  sweeps: false,
});
cacheStoreContract("reference", () => openInMemory(({ cache }) => cache));
cachePolicyStoreContract("reference", () => openInMemory((stores) => stores));
compactionStoreContract("reference", () => openInMemory((stores) => stores));
namespaceStoreContract("reference", () => openInMemory((stores) => stores));

/** Nothing to open or to close: a restart keeps the data in memory. */
async function openInMemory<Store>(
  storeOf: (stores: ReturnType<typeof referenceStores>) => Store,
  feedLimits?: FeedLimits,
): Promise<StoreUnderTest<Store>> {
  const store = storeOf(referenceStores(emptyUniverse(feedLimits), { maxRevisions: MAX_REVISIONS }));
  return { store, reopen: async () => undefined, [Symbol.asyncDispose]: async () => undefined };
}
