import { randomInt } from "node:crypto";
import { v7 } from "uuid";
import type { Ids } from "../../ports/ids.ts";

/**
 * UUIDv7 (RFC 9562). Within a millisecond, or when the clock steps back, the counter in the sequence bits rises, so that
 * ids sort in order of creation.
 */
export function createUuidIds(): Ids {
  let latest = 0;
  let sequence = 0;
  return {
    next: (now) => {
      if (now > latest) {
        latest = now;
        // Leaves half of the range for the counter.
        sequence = randomInt(2 ** 31);
      } else {
        sequence += 1;
      }
      return v7({ msecs: latest, seq: sequence });
    },
  };
}
