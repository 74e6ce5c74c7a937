import { connectTo } from "./client.ts";
import type { RedisServer } from "./server.ts";

const STEP = 10;

/** Moves a slot of a cluster to another primary, key by key, as resharding does. Calls `between` when it has begun. */
export async function moveSlot(
  slot: number,
  {
    from,
    to,
    others,
    between = async () => undefined,
  }: {
    readonly from: RedisServer;
    readonly to: RedisServer;
    readonly others: readonly RedisServer[];
    readonly between?: () => Promise<void>;
  },
): Promise<void> {
  using source = connectTo(from.url);
  using target = connectTo(to.url);
  const [sourceId, targetId] = [await source.call("CLUSTER", "MYID"), await target.call("CLUSTER", "MYID")];
  await target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", String(sourceId));
  await source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", String(targetId));
  let isFirst = true;
  for (;;) {
    const keys = (await source.call("CLUSTER", "GETKEYSINSLOT", slot, STEP)) as string[];
    if (keys.length === 0) break;
    await source.call("MIGRATE", to.host, to.port, "", 0, 10_000, "KEYS", ...keys);
    if (isFirst) await between();
    isFirst = false;
  }
  await target.call("CLUSTER", "SETSLOT", slot, "NODE", String(targetId));
  for (const { url } of [from, ...others]) {
    using node = connectTo(url);
    await node.call("CLUSTER", "SETSLOT", slot, "NODE", String(targetId));
  }
}
