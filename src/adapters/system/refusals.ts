import type { RecollectError } from "../../domain/errors.ts";
import { serverOverloaded } from "../../domain/errors.ts";
import { retryAfterMs } from "../../domain/load/overload-policy.ts";
import type { OperatorLog } from "../../ports/log.ts";

/** Estimated delays in errors are rounded up to this step, and bounded by the maximum. */
const STEP_MS = 50;
const MAX_MS = 60_000;
/** Between two log lines. */
const LOG_EVERY_MS = 10_000;

/**
 * The errors of calls refused because of overload. They are shared: creating one, with its stack and its status, takes as
 * long as everything else that a refused call costs beyond gRPC. Their log lines are rate-limited.
 */
export class Refusals {
  readonly #log: Pick<OperatorLog, "warn">;
  readonly #errors = new Map<number, RecollectError>();
  #count = 0;
  #logged = Number.NEGATIVE_INFINITY;

  constructor(log: Pick<OperatorLog, "warn">) {
    this.#log = log;
  }

  /** The error of a call that would be queued for so long. */
  overloaded(waitMs: number, now: number): RecollectError {
    this.#count += 1;
    if (now - this.#logged >= LOG_EVERY_MS) {
      this.#log.warn(
        { refused: this.#count, estimated_wait_ms: Math.round(waitMs) },
        "the server is overloaded: calls are refused",
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
