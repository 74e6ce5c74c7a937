import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { FlushTimer } from "./flush-timer.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const flush = vi.fn();
beforeEach(() => void flush.mockClear());

it("flushes at once when there is enough, and else so long after the first", () => {
  const timer = new FlushTimer(flush, { size: 3, milliseconds: 100 });
  timer.added(1);
  vi.advanceTimersByTime(60);
  timer.added(2);
  vi.advanceTimersByTime(39);
  expect(flush).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(flush).toHaveBeenCalledTimes(1);
  timer.added(3);
  expect(flush).toHaveBeenCalledTimes(2);
});

it("flushes nothing after a reset, until more is added", () => {
  const timer = new FlushTimer(flush, { size: 3, milliseconds: 100 });
  timer.added(1);
  timer.reset();
  vi.advanceTimersByTime(1000);
  expect(flush).not.toHaveBeenCalled();
  timer.added(1);
  vi.advanceTimersByTime(100);
  expect(flush).toHaveBeenCalledTimes(1);
});
