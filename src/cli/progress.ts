import type { Writable } from "node:stream";
import { formatDuration } from "./duration.ts";

/** How far something is. */
export interface ProgressState {
  /** What is counted, in the plural. */
  readonly what: string;
  readonly done: number;
  /** Absent: not known. */
  readonly total?: number;
  /** What was done before this run. */
  readonly before: number;
  readonly elapsedMs: number;
}

const BAR_WIDTH = 20;
const REDRAW_MS = 100;
const LINE_MS = 10_000;
const ERASE_LINE = "\r\u{1b}[2K";
const number = new Intl.NumberFormat("en");

/** `1,200 of 5,000 memories, 240/s, 16 s left`: what is known of it. */
export function formatProgress({ what, done, total, before, elapsedMs }: ProgressState): string {
  const perSecond = elapsedMs > 0 ? ((done - before) * 1000) / elapsedMs : 0;
  const known = total !== undefined && total >= done;
  return [
    `${number.format(done)}${known ? ` of ${number.format(total)}` : ""} ${what}`,
    ...(perSecond > 0 ? [`${number.format(Math.round(perSecond))}/s`] : []),
    ...(known && perSecond > 0 ? [`${formatDuration(((total - done) / perSecond) * 1000)} left`] : []),
  ].join(", ");
}

/** The share that is done as `[=====>    ]`; empty when the total is not known. */
export function formatBar({ done, total }: Pick<ProgressState, "done" | "total">): string {
  if (total === undefined || total < done || total === 0) return "";
  const full = Math.floor((done / total) * BAR_WIDTH);
  return `[${`${"=".repeat(full)}${full < BAR_WIDTH ? ">" : ""}`.padEnd(BAR_WIDTH)}] `;
}

/** Says on the way how far it is. Disposing takes the bar away. */
export interface Progress extends Disposable {
  /** `total`, where it is known only now or has changed, stays. */
  advance(done: number, total?: number): void;
  /** Takes the bar away, so that a line can be written; it comes back with the next step. */
  clear(): void;
}

/**
 * Progress on standard error: a bar on a terminal, now and then a line elsewhere, nothing when `silent`. It looks at
 * the time when something is done and has no timer. (Libraries for this draw only on terminals, or by timers that go
 * on when the work has failed.)
 */
export function openProgress(options: {
  readonly what: string;
  readonly total?: number;
  readonly before?: number;
  readonly silent: boolean;
  readonly stream: Pick<Writable, "write"> & { readonly isTTY?: boolean; readonly columns?: number };
  /** Milliseconds that only rise. */
  readonly now: () => number;
}): Progress {
  const { stream, silent, now, before = 0 } = options;
  const start = now();
  const isTerminal = stream.isTTY === true;
  let said = isTerminal ? Number.NEGATIVE_INFINITY : start;
  let isDrawn = false;
  let { total } = options;
  const clear = (): void => {
    if (isDrawn) stream.write(ERASE_LINE);
    isDrawn = false;
  };
  return {
    advance: (done, known) => {
      total = known ?? total;
      if (silent || now() - said < (isTerminal ? REDRAW_MS : LINE_MS)) return;
      said = now();
      const state = {
        what: options.what,
        before,
        done,
        elapsedMs: now() - start,
        ...(total === undefined ? {} : { total }),
      };
      const text = formatProgress(state);
      if (isTerminal) {
        stream.write(ERASE_LINE + `${formatBar(state)}${text}`.slice(0, (stream.columns ?? 80) - 1));
        isDrawn = true;
      } else stream.write(`recollect: ${text}\n`);
    },
    clear,
    [Symbol.dispose]: clear,
  };
}
