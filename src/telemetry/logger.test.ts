import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LogOptions, openLog } from "./logger.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "recollect-log-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** The standard output of a separate process that logs there. */
async function written(options: Partial<LogOptions>, statements: string): Promise<string> {
  const logger = new URL("./logger.ts", import.meta.url).href;
  const all = { level: "info", format: "json", ...options };
  const script = `
    import { openLog } from ${JSON.stringify(logger)};
    await using output = openLog(${JSON.stringify(all)}, "test");
    const { log } = output;
    ${statements}`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script]);
  return stdout;
}

function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Sorted, because closing the log flushes past a line that is still being written. */
function levelsOf(lines: readonly Record<string, unknown>[]): unknown[] {
  return lines.map(({ level }) => level).sort();
}

describe("openLog", () => {
  it("writes JSON lines with upper-case levels, ISO times and the environment", async () => {
    const lines = jsonLines(
      await written(
        { level: "trace" },
        'for (const level of ["trace", "debug", "info", "warn", "error", "fatal"]) log[level]({ n: 1 }, "two\\nlines");',
      ),
    );
    expect(levelsOf(lines)).toEqual(["DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"]);
    for (const line of lines) {
      expect(line).toMatchObject({ environment: "test", n: 1, msg: "two\nlines" });
      expect(line["time"]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    }
  });

  it("omits lines below the level", async () => {
    const lines = jsonLines(
      await written({ level: "warn" }, 'log.info("no"); log.warn("yes"); log.error("yes");'),
    );
    expect(levelsOf(lines)).toEqual(["ERROR", "WARN"]);
  });

  it("writes errors with their type, message and stack", async () => {
    const [line] = jsonLines(await written({}, 'log.error({ err: new TypeError("oops") }, "failed");'));
    expect(line?.["err"]).toMatchObject({
      type: "TypeError",
      message: "oops",
      stack: expect.stringContaining("oops"),
    });
  });

  it("writes text to standard output, and JSON to the file, also when closed immediately", async () => {
    const file = join(folder, "new", "app.log");
    const text = await written(
      { format: "text", file },
      'log.warn({ port: 1, names: ["a"], err: new Error("oops") }, "hello");',
    );
    const [first, ...stack] = text.trimEnd().split("\n");
    expect(first).toMatch(/^\S+Z WARN hello port=1 names=\["a"\]$/);
    expect(stack[0]).toBe("    Error: oops");
    expect(stack.every((line) => line.startsWith("    "))).toBe(true);
    const lines = jsonLines(await readFile(file, "utf8"));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ level: "WARN", msg: "hello", port: 1, err: { message: "oops" } });
  });

  it("appends to an existing file", async () => {
    const file = join(folder, "twice.log");
    await written({ file }, 'log.info("one");');
    await written({ file }, 'log.info("two");');
    expect(jsonLines(await readFile(file, "utf8")).map(({ msg }) => msg)).toEqual(["one", "two"]);
  });

  it("refuses an unwritable file before the first line", () => {
    const options: LogOptions = { level: "info", format: "json", file: folder };
    expect(() => openLog(options, "test")).toThrow(expect.objectContaining({ code: "EISDIR" }));
  });

  it.runIf(process.platform === "linux")("does not delay the exit of a failing process", async () => {
    // The write to stderr marks the moment at which the log is known to have failed.
    const statements = `
      process.stderr.write = () => {
        log.info("never written");
        process.exit(3);
      };
      log.info("lost");
      await new Promise(() => setInterval(() => undefined, 1000));`;
    await expect(written({ file: "/dev/full" }, statements)).rejects.toMatchObject({ code: 3 });
  });
});
