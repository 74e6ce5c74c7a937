import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCli, spawnCli } from "../support/run-cli.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

/** Processes start slowly on a busy machine. */
const TIMEOUT_MS = 60_000;

describe("recollect memory watch", { timeout: TIMEOUT_MS }, () => {
  let folder: string;
  let app: TestApp;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "recollect-watch-"));
    app = await startApp();
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  /** A watch in a process of its own, as a shell starts it. */
  const startWatch = (namespace: string, ...args: readonly string[]) => {
    const child = spawnCli(["--namespace", namespace, ...args], { address: app.grpcAddress, cwd: folder });
    child.stdin.end();
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    let errors = "";
    const started = new Promise<void>((resolve) => {
      child.stderr.on("data", (chunk: Buffer) => {
        errors += String(chunk);
        if (errors.includes("watching")) resolve();
      });
    });
    return {
      started,
      nextLine: async () => String((await lines.next()).value),
      /** Its exit code and what it printed to standard error, when it has ended by itself. */
      ended: ended.then((code) => ({ code, errors })),
      /** Resolves with the exit code and what it printed to standard error. */
      end: async (signal: NodeJS.Signals) => {
        child.kill(signal);
        return { code: await ended, errors };
      },
    };
  };
  const create = (namespace: string, id: string) =>
    app.memory.createMemory({ namespace, memory: { id, text: `text of ${id}\u001b[31m` } });

  it("prints a line a change, and at its end a token that continues there", async () => {
    const namespace = "lines";
    const first = startWatch(namespace, "memory", "watch");
    await first.started;
    await create(namespace, "m1");
    expect(await first.nextLine()).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z {2}created {5}m1 {2}text of m1 \[31m$/);
    await app.memory.deleteMemory({ namespace, id: "m1" });
    expect(await first.nextLine()).toMatch(/Z {2}deleted {5}m1$/);
    const { code, errors } = await first.end("SIGINT");
    expect(code).toBe(130);
    const [, token = ""] = /continue with --from (\S+)\n$/.exec(errors) ?? [];
    expect(token).not.toBe("");

    await create(namespace, "m2");
    await create(namespace, "m3");
    const second = startWatch(namespace, "--json", "memory", "watch", "--from", token);
    const [one, two] = [JSON.parse(await second.nextLine()), JSON.parse(await second.nextLine())];
    expect([one, two]).toMatchObject([
      { change: "CHANGE_CREATED", memory: { id: "m2", namespace } },
      { change: "CHANGE_CREATED", memory: { id: "m3" }, resumeToken: expect.any(String) },
    ]);
    const ended = await second.end("SIGTERM");
    expect(ended.code).toBe(143);
    expect(ended.errors).toContain(`--from ${(two as { readonly resumeToken: string }).resumeToken}\n`);
  });

  it("fails when changes are lost, and names the reason", async () => {
    const namespace = "lost";
    await create(namespace, "m1");
    const watch = startWatch(namespace, "memory", "watch");
    await watch.started;
    const { errors } = await watch.end("SIGINT");
    const [, token = ""] = /--from (\S+)/.exec(errors) ?? [];
    await app.memory.deleteNamespace({ namespace, force: true });
    const again = await runCli(["--namespace", namespace, "memory", "watch", "--from", token], {
      address: app.grpcAddress,
      cwd: folder,
    });
    expect(again.code).toBe(2);
    expect(again.stderr).toContain("(CHANGES_LOST)");
    expect(again.stdout).toBe("");
  });

  it("offers no token that would be refused, when changes are lost during the watch", async () => {
    const namespace = "lost-meanwhile";
    const watch = startWatch(namespace, "memory", "watch");
    await watch.started;
    await create(namespace, "m1");
    expect(await watch.nextLine()).toContain("created");
    await app.memory.deleteNamespace({ namespace, force: true });
    const { code, errors } = await watch.ended;
    expect(code).toBe(2);
    expect(errors).toContain("(CHANGES_LOST)");
    expect(errors).not.toContain("--from");
  });
});
