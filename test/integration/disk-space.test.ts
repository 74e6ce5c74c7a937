import { describe, expect, it } from "vitest";
import { RESERVED_BYTES, RESERVED_SIZES } from "../../src/domain/disk-space.ts";
import type { Disk } from "../../src/ports/disk.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

const GIB = 1024 * 1024 * 1024;

const roomy: Disk = {
  space: () => ({ freeBytes: 50 * GIB, totalBytes: 100 * GIB }),
  obstacle: () => undefined,
  tryWriting: () => undefined,
};

/** With the disk reserve of production. */
function startOn(disk: Disk): Promise<TestApp> {
  return startApp({ overrides: { disk, reserved: RESERVED_SIZES } });
}

async function readiness(
  app: TestApp,
): Promise<{ readonly status: number; readonly warnings: readonly string[] }> {
  const response = await fetch(`${app.httpUrl}/ready`);
  const { warnings } = (await response.json()) as { readonly warnings: readonly string[] };
  return { status: response.status, warnings: warnings.filter((line) => line.includes("DATA_DIR")) };
}

async function metrics(app: TestApp): Promise<string> {
  return (await fetch(`${app.httpUrl}/metrics`)).text();
}

describe("the disk of the embedded store", () => {
  it("causes no warning while it has free space, and is shown in the metrics", async () => {
    await using app = await startOn(roomy);
    expect(await readiness(app)).toEqual({ status: 200, warnings: [] });
    const page = await metrics(app);
    expect(page).toMatch(new RegExp(`^recollect_store_free_bytes(\\{\\})? ${50 * GIB}$`, "m"));
    expect(page).toMatch(new RegExp(`^recollect_store_kept_bytes(\\{\\})? ${RESERVED_BYTES}$`, "m"));
  });

  it("causes a warning before it is full, and when no reserve can be allocated", async () => {
    const disk: Disk = { ...roomy, space: () => ({ freeBytes: 20 * 1024 * 1024, totalBytes: 100 * GIB }) };
    await using app = await startOn(disk);
    const { status, warnings } = await readiness(app);
    expect(status).toBe(200);
    expect(warnings).toEqual([
      expect.stringContaining("the disk of DATA_DIR has 20 MiB free of 102400 MiB"),
      expect.stringMatching(/DATA_DIR reserves \d+ MiB of the 16 MiB for deletions/),
    ]);
    await app.memory.createMemory({ memory: { text: "writes go on" } });
  });

  it("causes a warning when it turns read-only, and the server still serves", async () => {
    let code: string | undefined;
    await using app = await startOn({ ...roomy, obstacle: () => code });
    code = "EROFS";
    expect(await readiness(app)).toEqual({
      status: 200,
      warnings: [
        "DATA_DIR cannot be written to: its file system is read-only (EROFS): writes are refused, reads go on",
      ],
    });
  });
});
