import type { Writable } from "node:stream";
import { formatDuration } from "./duration.ts";

/** Progress of an operation. */
export interface ProgressState {
  /** The counted unit, in the plural. */
  readonly what: string;
  readonly done: number;
  /** Undefined: unknown. */
  readonly total?: number;
  /** Count of earlier runs. */
  readonly before: number;
  readonly elapsedMs: number;
}

const BAR_WIDTH = 20;
const REDRAW_MS = 100;
const LINE_MS = 10_000;
const ERASE_LINE = "\r\u{1b}[2K";
const number = new Intl.NumberFormat("en");

/** `1,200 of 5,000 memories, 240/s, 16 s left`; unknown parts are omitted. */
export function formatProgress({ what, done, total, before, elapsedMs }: ProgressState): string {
  const perSecond = elapsedMs > 0 ? ((done - before) * 1000) / elapsedMs : 0;
  const hasTotal = total !== undefined && total >= done;
  return [
    `${number.format(done)}${hasTotal ? ` of ${number.format(total)}` : ""} ${what}`,
    ...(perSecond > 0 ? [`${number.format(Math.round(perSecond))}/s`] : []),
    ...(hasTotal && perSecond > 0 ? [`${formatDuration(((total - done) / perSecond) * 1000)} left`] : []),
  ].join(", ");
}

/** A progress bar `[=====>    ]`; empty without a total. */
export function formatBar({ done, total }: Pick<ProgressState, "done" | "total">): string {
  if (total === undefined || total < done || total === 0) return "";
  const full = Math.floor((done / total) * BAR_WIDTH);
  return `[${`${"=".repeat(full)}${full < BAR_WIDTH ? ">" : ""}`.padEnd(BAR_WIDTH)}] `;
}

/** Prints progress. Disposing erases the bar. */
export interface Progress extends Disposable {
  /** `total` sets a total that was unknown or has changed. */
  advance(done: number, total?: number): void;
  /** Erases the bar before a line is written; it is drawn again with the next step. */
  clear(): void;
}

/**
 * Prints progress to standard error: a bar on a terminal, otherwise lines at intervals, nothing when `silent`. It reads
 * the clock with each step and has no timer. (Libraries for this draw only on terminals, or by timers that continue
 * when the work has failed.)
 */
export function openProgress(options: {
  readonly what: string;
  readonly total?: number;
  readonly before?: number;
  readonly silent: boolean;
  readonly stream: Pick<Writable, "write"> & { readonly isTTY?: boolean; readonly columns?: number };
  /** Milliseconds of a monotonic clock. */
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
    advance: (done, newTotal) => {
      total = newTotal ?? total;
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
