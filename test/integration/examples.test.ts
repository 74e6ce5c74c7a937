import { spawn } from "node:child_process";
import { mkdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EndedCommand, endOf } from "../support/run-cli.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

const EXAMPLE = join(import.meta.dirname, "..", "..", "examples", "typescript");
const MODULES = join(EXAMPLE, "node_modules");

describe("the TypeScript example", () => {
  let app: TestApp;
  /** Links an installed package into the example's directory; other dependencies are resolved in parent directories. */
  let isLinked = false;
  beforeAll(async () => {
    await mkdir(MODULES, { recursive: true });
    const client = join("..", "..", "..", "gen", "typescript");
    isLinked = await symlink(client, join(MODULES, "recollect-client"), "junction").then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code !== "EEXIST") throw error;
        return false;
      },
    );
    app = await startApp();
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
    if (isLinked) await rm(join(MODULES, "recollect-client"));
  });

  function run(): Promise<EndedCommand> {
    const child = spawn(process.execPath, ["main.ts"], {
      cwd: EXAMPLE,
      env: { PATH: process.env["PATH"] ?? "", RECOLLECT_ADDRESS: app.grpcAddress },
    });
    return endOf(child);
  }

  it("does what the README describes, also when run twice", async () => {
    for (const beginning of ["remembered: ", "remembered before: "]) {
      const { code, stdout, stderr } = await run();
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout.split("\n")).toEqual([
        `${beginning}Ana is allergic to nuts`,
        expect.stringMatching(/^found: Ana is allergic to nuts \(score \d\.\d\d\)$/),
        "please, how can I cancel my order -> Open Orders.",
        "How do I cancel order 17? -> ask the model",
        expect.stringMatching(/^refused: MEMORY_NOT_FOUND \{ id: 'no-such-memory'/),
        "",
      ]);
    }
    const { memories } = await app.memory.listMemories({ namespace: "example" });
    expect(memories.map(({ text }) => text)).toEqual(["Ana is allergic to nuts"]);
  });
});
