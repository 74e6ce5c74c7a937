import { describe, expect, it } from "vitest";
import { formatBar, formatProgress, openProgress } from "./progress.ts";

describe("formatProgress", () => {
  const state = { what: "memories", done: 1200, before: 0, elapsedMs: 5000 };

  it("shows count, total, rate and remaining time", () => {
    expect(formatProgress({ ...state, total: 5000 })).toBe("1,200 of 5,000 memories, 240/s, 16 s left");
  });

  it("omits unknown parts", () => {
    expect(formatProgress(state)).toBe("1,200 memories, 240/s");
    expect(formatProgress({ ...state, elapsedMs: 0, total: 5000 })).toBe("1,200 of 5,000 memories");
    expect(formatProgress({ ...state, total: 1000 })).toBe("1,200 memories, 240/s");
  });

  it("computes the rate from this run only", () => {
    expect(formatProgress({ ...state, before: 1000, total: 2000 })).toBe(
      "1,200 of 2,000 memories, 40/s, 20 s left",
    );
  });
});

describe("formatBar", () => {
  it("is empty at the beginning, full at the end, and absent without a total", () => {
    expect(formatBar({ done: 0, total: 4 })).toBe("[>                   ] ");
    expect(formatBar({ done: 2, total: 4 })).toBe("[==========>         ] ");
    expect(formatBar({ done: 4, total: 4 })).toBe("[====================] ");
    expect(formatBar({ done: 4 })).toBe("");
    expect(formatBar({ done: 0, total: 0 })).toBe("");
  });
});

describe("openProgress", () => {
  function run(terminal: { readonly isTTY?: boolean; readonly columns?: number }, silent = false): string[] {
    const written: string[] = [];
    let time = 0;
    const stream = { ...terminal, write: (text: string): boolean => written.push(text) > 0 };
    using progress = openProgress({ what: "lines", total: 40, silent, stream, now: () => time });
    for (let done = 1; done <= 40; done += 1) {
      time += 500;
      progress.advance(done);
    }
    return written;
  }

  it("draws a bar no wider than the terminal, and erases it", () => {
    const written = run({ isTTY: true, columns: 20 });
    expect(written).toHaveLength(41);
    expect(written[19]).toBe("\r\u{1b}[2K[==========>       ");
    expect(written.at(-1)).toBe("\r\u{1b}[2K");
  });

  it("writes a line at intervals when it is no terminal", () => {
    expect(run({})).toEqual([
      "recollect: 20 of 40 lines, 2/s, 10 s left\n",
      "recollect: 40 of 40 lines, 2/s, 0 ms left\n",
    ]);
  });

  it("accepts a total that arrives later or changes", () => {
    const written: string[] = [];
    let time = 0;
    const stream = { write: (text: string): boolean => written.push(text) > 0 };
    using progress = openProgress({ what: "lines", silent: false, stream, now: () => time });
    for (const [done, total] of [[10, 40], [20], [30, 50]] as const) {
      time += 10_000;
      progress.advance(done, total);
    }
    expect(written).toEqual([
      "recollect: 10 of 40 lines, 1/s, 30 s left\n",
      "recollect: 20 of 40 lines, 1/s, 20 s left\n",
      "recollect: 30 of 50 lines, 1/s, 20 s left\n",
    ]);
  });

  it("writes nothing when silent", () => {
    expect([run({ isTTY: true }, true), run({}, true)]).toEqual([[], []]);
  });
});
