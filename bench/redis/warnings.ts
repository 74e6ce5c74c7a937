import type { CaseResult } from "./measure.ts";
import type { StoreResult } from "./store.ts";

/** Replies vary by a few bytes, in ages and ids; a larger difference means different replies. */
const REPLY_TOLERANCE = 0.05;
/** When neither the floor nor its Redis is busy for this share, the machine is the bottleneck. */
const SATURATED = 0.9;

/** Warnings about unreliable figures of this run. */
export function warningsAbout(stores: readonly StoreResult[]): string[] {
  return stores.flatMap(({ title, cases }) =>
    cases.flatMap((one) => warningsOf(one).map((warning) => `${one.name}, ${title}: ${warning}`)),
  );
}

function warningsOf({ contenders }: CaseResult): string[] {
  const found: string[] = [];
  for (const { name, medians } of contenders) {
    if (medians.errors > 0) found.push(`${medians.errors} calls to ${name} failed`);
    if (medians.shortReplies > 0) {
      found.push(`${medians.shortReplies} replies of ${name} are too short`);
    }
  }
  const service = contenders.find(({ name }) => name === "service");
  const floor = contenders.find(({ name }) => name === "floor");
  if (service === undefined || floor === undefined) return found;
  const difference = Math.abs(service.medians.replyBytes / floor.medians.replyBytes - 1);
  if (difference > REPLY_TOLERANCE) {
    found.push(
      `replies differ: ${service.medians.replyBytes.toFixed(0)} bytes a call, the floor's ${floor.medians.replyBytes.toFixed(0)}`,
    );
  }
  const redisBusy = (floor.redis.cpuMicrosPerCall * floor.medians.callsPerSecond) / 1_000_000;
  const busy = Math.max(floor.medians.serverBusy ?? 1, redisBusy);
  if (busy < SATURATED) {
    found.push(
      `neither the floor (busy for ${(floor.medians.serverBusy ?? 1).toFixed(2)} of the time) nor its Redis (${redisBusy.toFixed(2)}) was saturated: the load generator or other processes were the bottleneck, so the throughput ratio is too high; compare processor time`,
    );
  }
  return found;
}
