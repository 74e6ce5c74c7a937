import type { CaseResult } from "./measure.ts";
import type { StoreResult } from "./store.ts";

/** Replies vary by a few bytes, in ages and ids; more than this share is another answer. */
const REPLY_TOLERANCE = 0.05;
/** Where neither of two servers has a processor to itself, it is the machine that sets the pace. */
const SATURATED = 0.9;

/** What makes a figure of this run doubtful; empty when nothing does. */
export function doubtsAbout(stores: readonly StoreResult[]): string[] {
  return stores.flatMap(({ title, cases }) =>
    cases.flatMap((one) => doubtsOf(one).map((doubt) => `${one.name}, ${title}: ${doubt}`)),
  );
}

function doubtsOf({ contenders }: CaseResult): string[] {
  const found: string[] = [];
  for (const { name, medians } of contenders) {
    if (medians.errors > 0) found.push(`${medians.errors} calls to ${name} failed`);
    if (medians.shortReplies > 0) {
      found.push(`${medians.shortReplies} replies of ${name} are too short to be what was asked for`);
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
      `neither the floor (busy for ${(floor.medians.serverBusy ?? 1).toFixed(2)} of the time) nor its Redis (${redisBusy.toFixed(2)}) was at its limit: the load generator or other work on the machine set the pace, so the ratio of throughput flatters the service; compare processor time`,
    );
  }
  return found;
}
