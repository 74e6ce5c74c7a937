import type { RecollectError } from "../../domain/errors.ts";
import { serverOverloaded } from "../../domain/errors.ts";
import { retryAfterMs } from "../../domain/load/overload-policy.ts";
import type { OperatorLog } from "../../ports/log.ts";

/** Waits are told in steps of so many milliseconds, and no longer than this. */
const STEP_MS = 50;
const MAX_MS = 60_000;
/** Between two lines in the log. */
const LOG_EVERY_MS = 10_000;

/**
 * The errors that calls are refused with for want of time. They are shared: to make one, with its stack and its status,
 * takes as long as all else that a refused call costs beyond gRPC. And the log does not grow with every one of them.
 */
export class Refusals {
  readonly #log: Pick<OperatorLog, "warn">;
  readonly #errors = new Map<number, RecollectError>();
  #count = 0;
  #logged = Number.NEGATIVE_INFINITY;

  constructor(log: Pick<OperatorLog, "warn">) {
    this.#log = log;
  }

  /** Of a call that would wait for so long. */
  overloaded(waitMs: number, now: number): RecollectError {
    this.#count += 1;
    if (now - this.#logged >= LOG_EVERY_MS) {
      this.#log.warn(
        { refused: this.#count, estimated_wait_ms: Math.round(waitMs) },
        "more work than can be done in time: calls are refused",
      );
      this.#logged = now;
      this.#count = 0;
    }
    const step = Math.ceil(Math.min(waitMs, MAX_MS) / STEP_MS) * STEP_MS;
    let error = this.#errors.get(step);
    if (error === undefined) {
      error = serverOverloaded(step, retryAfterMs(step));
      this.#errors.set(step, error);
    }
    return error;
  }
}
