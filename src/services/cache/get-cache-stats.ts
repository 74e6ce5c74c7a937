import { namespaceKeyOf } from "../../domain/access/tenancy.ts";
import type { CacheStats, CacheStore } from "../../ports/cache/cache-store.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Reloadable } from "../../ports/reloadable.ts";
import type { CallContext } from "../call.ts";
import type { CacheSettings } from "./cache-settings.ts";

/** Size, bound and counters of the cache of a namespace. */
export async function getCacheStats(
  ports: {
    readonly store: Pick<CacheStore, "stats">;
    readonly clock: Clock;
    readonly settings: Reloadable<Pick<CacheSettings, "maxEntries">>;
  },
  input: { readonly namespace: string },
  context: CallContext,
): Promise<CacheStats & { readonly maxEntries: number }> {
  const stats = await ports.store.stats(namespaceKeyOf(context.caller, input.namespace), ports.clock.now());
  return { ...stats, maxEntries: ports.settings().maxEntries };
}
