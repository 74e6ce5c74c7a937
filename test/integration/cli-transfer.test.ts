import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { RecollectError } from "../../src/domain/errors.ts";
import { serve } from "../../src/transport/handler.ts";
import { abortion } from "../support/gated-embedder.ts";
import { type EndedCommand, endOf, runCli, spawnCli } from "../support/run-cli.ts";
import { startApp, type TestApp } from "../support/start-app.ts";
import { startGrpcServer } from "../support/start-grpc-server.ts";

/** Processes start slowly on a busy machine. */
const TIMEOUT_MS = 60_000;

let folder: string;
let app: TestApp;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "recollect-cli-"));
  app = await startApp();
}, TIMEOUT_MS);

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
}, TIMEOUT_MS);

const recollect = (args: readonly string[], input = ""): Promise<EndedCommand> =>
  runCli(args, { address: app.grpcAddress, cwd: folder }, input);
const inFolder = (name: string): string => join(folder, name);
const read = (name: string): Promise<string> => readFile(inFolder(name), "utf8");

async function fill(namespace: string, count: number, text = "memory"): Promise<void> {
  for (let start = 0; start < count; start += 200) {
    await app.memory.batchCreateMemories({
      namespace,
      memories: Array.from({ length: Math.min(200, count - start) }, (_, index) => {
        const number = String(start + index).padStart(4, "0");
        return {
          id: `m${number}`,
          text: `${text} ${number}`,
          userId: index % 2 === 0 ? "ana" : "bob",
          sessionId: "s",
        };
      }),
    });
  }
}

describe("recollect memory get", { timeout: TIMEOUT_MS }, () => {
  it("prints memories whole, in the order of the ids", async () => {
    await fill("get", 3, "first line\n\tsecond\u{1b}[31m line");
    const printed = await recollect(["--namespace", "get", "memory", "get", "m0002", "m0000"]);
    expect(printed).toMatchObject({ code: 0, stderr: "" });
    expect(printed.stdout).toMatch(
      /^m0002 {2}\S+Z {2}SEMANTIC {2}ACTIVE\nuser: ana\nsession: s \(3\)\nfirst line\n\tsecond \[31m line 0002\nm0000 /,
    );
    const json = await recollect(["--namespace", "get", "--json", "memory", "get", "m0001"]);
    expect(JSON.parse(json.stdout)).toMatchObject({ id: "m0001", userId: "bob", namespace: "get" });
  });

  it("prints the memories that exist, names the missing ids, and exits with 1", async () => {
    await fill("get-some", 1);
    const some = await recollect(["--namespace", "get-some", "--json", "memory", "get", "none", "m0000"]);
    expect(some).toMatchObject({ code: 1, stderr: "recollect: no such memory: none\n" });
    expect(JSON.parse(some.stdout)).toMatchObject({ id: "m0000" });
  });
});

describe("recollect memory list", { timeout: TIMEOUT_MS }, () => {
  it("pages through all memories, newest first, or up to the limit", async () => {
    await fill("list", 450);
    const ids = async (...args: readonly string[]): Promise<string[]> => {
      const { code, stdout, stderr } = await recollect(["--namespace", "list", "memory", "list", ...args]);
      expect([code, stderr]).toEqual([0, ""]);
      return stdout.split("\n").flatMap((line) => line.split("  ", 1)[0] || []);
    };
    const all = Array.from({ length: 450 }, (_, index) => `m${String(449 - index).padStart(4, "0")}`);
    expect(await ids()).toEqual(all);
    expect(await ids("--limit", "201")).toEqual(all.slice(0, 201));
    expect(await ids("--limit", "0")).toEqual([]);
    expect(await ids("--user", "bob", "--limit", "2")).toEqual(["m0449", "m0447"]);
  });

  it("exits without an error when the reader closes the pipe", async () => {
    await fill("head", 1500, "x".repeat(200));
    for (const command of ["list", "export"]) {
      const child = spawnCli(["--namespace", "head", "--json", "memory", command], {
        address: app.grpcAddress,
        cwd: folder,
      });
      const stderr: Buffer[] = [];
      child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
      await once(child.stdout, "data");
      child.stdout.destroy();
      const [code] = await once(child, "close");
      expect([command, code, Buffer.concat(stderr).toString()]).toEqual([command, 0, ""]);
    }
  });
});

describe("recollect memory export and import", { timeout: TIMEOUT_MS }, () => {
  it("copy a namespace line for line, and store nothing twice", async () => {
    await fill("from", 450);
    expect(await recollect(["--namespace", "from", "memory", "export", "whole.jsonl"])).toEqual({
      code: 0,
      stdout: "450 exported to whole.jsonl\n",
      stderr: "",
    });
    const load = ["--namespace", "to", "memory", "import"];
    expect(await recollect([...load, "whole.jsonl"])).toEqual({
      code: 0,
      stdout: "450 imported, 0 already there, 0 expired, 0 failed\n",
      stderr: "",
    });
    const again = await recollect([...load, "-"], await read("whole.jsonl"));
    expect(again.stdout).toBe("0 imported, 450 already there, 0 expired, 0 failed\n");
    const piped = await recollect(["--namespace", "to", "memory", "export"]);
    expect(piped).toEqual({ code: 0, stdout: await read("whole.jsonl"), stderr: "" });
    expect(await readdir(folder)).not.toContain("whole.jsonl.part");
  });

  it("export the memories that the options select", async () => {
    await fill("some", 4);
    const ended = await recollect(["--namespace", "some", "memory", "export", "--user", "bob"]);
    expect(ended.stdout.match(/"id":"m\d+"/g)).toEqual(['"id":"m0001"', '"id":"m0003"']);
  });

  it("print only results with --quiet, and JSON with --json", async () => {
    await fill("quiet", 2);
    const scope = ["--namespace", "quiet"];
    const silent = { code: 0, stdout: "", stderr: "" };
    expect(await recollect([...scope, "--quiet", "memory", "export", "quiet.jsonl"])).toEqual(silent);
    expect(await recollect([...scope, "--quiet", "memory", "import", "quiet.jsonl"])).toEqual(silent);
    const exported = await recollect([...scope, "--json", "memory", "export", "quiet.jsonl"]);
    expect(JSON.parse(exported.stdout)).toEqual({ file: "quiet.jsonl", exportedCount: 2 });
    const imported = await recollect([...scope, "--json", "memory", "import", "quiet.jsonl"]);
    expect(JSON.parse(imported.stdout)).toEqual({ sequence: 2, skippedCount: 2 });
  });

  it("store valid lines, name invalid ones, and exit with 1", async () => {
    const lines = [
      '{"id": "a", "text": "a"}',
      '{"text": "without id"}',
      "nonsense",
      "",
      '{"id": "b", "text": "b", "createTime": "2026-01-01T00:00:00Z"}',
      '{"id": "c", "text": "c", "expireTime": "2026-01-01T00:00:00Z"}',
    ];
    const ended = await recollect(["--namespace", "bad", "memory", "import", "-"], lines.join("\n"));
    expect(ended.code).toBe(1);
    expect(ended.stdout).toBe("2 imported, 0 already there, 1 expired, 2 failed\n");
    expect(ended.stderr).toMatch(/standard input, line 3: not JSON/);
    expect(ended.stderr).toMatch(/standard input, line 2: id: .*\(REQUEST_INVALID\)/);
  });

  it("import the readable part of a broken file, and exit with 2", async () => {
    const line = Buffer.from('{"id": "a", "text": "a"}\n');
    await writeFile(
      inFolder("torn.jsonl"),
      Buffer.concat([...Array<Buffer>(5000).fill(line), Buffer.from([0xff])]),
    );
    const ended = await recollect(["--namespace", "torn", "memory", "import", "torn.jsonl"]);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toMatch(
      /the same command resumes.*\nrecollect: torn\.jsonl: it is not UTF-8 text\n$/,
    );
  });

  it.each([
    [["memory", "import", "missing.jsonl"], "there is no such file"],
    [["memory", "export", "missing/x.jsonl"], "there is no such folder"],
    [["memory", "export", "."], "is not a file"],
    [["memory", "export", "--address", "localhost:1"], "no server at localhost:1"],
    [["memory", "import", "-", "--address", "localhost:1"], "no server at localhost:1"],
    [["memory", "get"], "missing required argument"],
  ])("exit with 2 when they cannot start: %j", async (args, message) => {
    const ended = await recollect(args, '{"id": "a", "text": "a"}\n');
    expect(ended).toEqual({ code: 2, stdout: "", stderr: expect.stringContaining(message) });
  });

  it("keep acknowledged memories when Ctrl-C ends an import, and print how to resume", async () => {
    const lines = Array.from({ length: 150 }, (_, index) => `{"id": "m${index}", "text": "text ${index}"}\n`);
    const args = ["--namespace", "stopped", "memory", "import", "-"];
    const child = spawnCli(["--json", ...args], { address: app.grpcAddress, cwd: folder });
    // Standard input stays open: only the signal ends the command.
    child.stdin.write(lines.join(""));
    const ending = endOf(child);
    await once(child.stdout, "data");
    child.kill("SIGINT");
    expect(await ending).toEqual({
      code: 130,
      stdout: expect.stringContaining('"sequence":100'),
      stderr: expect.stringMatching(/interrupted after line 100: 100 imported, .* the same command resumes/),
    });
    const again = await recollect(args, lines.join(""));
    expect(again.stdout).toBe("50 imported, 100 already there, 0 expired, 0 failed\n");
  });
});

describe("an interrupted recollect memory import", { timeout: TIMEOUT_MS }, () => {
  it("prints the cause and how to resume, however much is still to be sent", async () => {
    const service = serve(MemoryService, {
      importMemories: async function* (requests) {
        for await (const { sequence, memories } of requests) {
          yield { sequence, importedCount: memories.length };
          throw new RecollectError("STORE_FULL", "the disk is full");
        }
      },
    });
    await using server = await startGrpcServer([service]);
    const text = "x".repeat(60_000);
    const lines = Array.from({ length: 400 }, (_, index) => `{"id": "m${index}", "text": "${text}"}\n`);
    await writeFile(inFolder("large.jsonl"), lines.join(""));
    const options = { address: server.address, cwd: folder };
    const ended = await runCli(["memory", "import", "large.jsonl"], options);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toMatch(/^recollect: failed after line \d+: \d+ imported.*\n.*\(STORE_FULL\)\n$/);

    // Open standard input does not keep the process alive.
    const child = spawnCli(["memory", "import", "-"], options);
    const ending = endOf(child);
    child.stdin.on("error", () => undefined);
    child.stdin.write(lines.join(""));
    expect(await ending).toMatchObject({ code: 2, stderr: expect.stringContaining("(STORE_FULL)") });
  });
});

describe("recollect memory import at a server that reads no further", { timeout: TIMEOUT_MS }, () => {
  it("ends when the server ends the call", async () => {
    const server = createServer();
    server.on("stream", (stream) => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "8", "grpc-message": "full" }));
      // The client closes its connection.
      stream.on("error", () => undefined);
      // More is on its way then than HTTP/2 lets the client send.
      stream.once("readable", () => stream.end());
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const child = spawnCli(["memory", "import", "-"], { address: `127.0.0.1:${port}`, cwd: folder });
    const ending = endOf(child);
    child.stdin.on("error", () => undefined);
    const line = `{"id": "m", "text": "${"x".repeat(60_000)}"}\n`;
    child.stdin.write(line.repeat(200));
    const closed = once(server, "close");
    expect(await ending).toEqual({ code: 2, stdout: "", stderr: "recollect: full (RESOURCE_EXHAUSTED)\n" });
    server.close();
    await closed;
  });
});

describe("an interrupted recollect memory export", { timeout: TIMEOUT_MS }, () => {
  const WHOLE = Array.from({ length: 10 }, (_, index) => ({ id: `m${index}`, text: `text ${index}` }));
  const WHOLE_LINES = WHOLE.map((memory) => `${JSON.stringify(memory)}\n`).join("");

  /** A server whose first export ends with `end` after three memories; later ones complete. */
  async function startBreaking(end: (signal: AbortSignal) => Promise<void>) {
    const tokens: string[] = [];
    const begun = Promise.withResolvers<void>();
    const service = serve(MemoryService, {
      getNamespaceStats: async () => ({ memoryCount: WHOLE.length }),
      exportMemories: async function* ({ resumeToken }, { signal }) {
        tokens.push(resumeToken);
        for (let at = Number(resumeToken); at < WHOLE.length; at += 1) {
          if (tokens.length === 1 && at === 3) {
            begun.resolve();
            await end(signal);
          }
          yield { memory: WHOLE[at] ?? {}, resumeToken: String(at + 1) };
        }
      },
    });
    const server = await startGrpcServer([service]);
    return { server, tokens, begun: begun.promise };
  }

  it("resumes where it stopped, and completes the file", async () => {
    const { server, tokens } = await startBreaking(async () => {
      throw new RecollectError("STORE_UNAVAILABLE", "the store does not answer");
    });
    await using _ = server;
    const options = { address: server.address, cwd: folder };
    const broken = await runCli(["memory", "export", "broken.jsonl"], options);
    expect(broken).toMatchObject({ code: 2, stdout: "" });
    expect(broken.stderr).toMatch(/failed; broken\.jsonl\.part has 3 memories.*\n.*STORE_UNAVAILABLE/);
    expect(await readdir(folder)).not.toContain("broken.jsonl");

    const other = await runCli(["memory", "export", "broken.jsonl", "--user", "ana"], options);
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining("is of another export") });

    // Data after the last checkpoint of a crash is discarded.
    await writeFile(inFolder("broken.jsonl.part"), '{"id": "half', { flag: "a" });
    const resumed = await runCli(["memory", "export", "broken.jsonl"], options);
    expect(resumed).toMatchObject({ code: 0, stdout: "10 exported to broken.jsonl\n" });
    expect(tokens).toEqual(["", "3"]);
    expect(await read("broken.jsonl")).toBe(WHOLE_LINES);
    expect((await readdir(folder)).filter((name) => name.startsWith("broken"))).toEqual(["broken.jsonl"]);
  });

  it("replaces an earlier file only by a complete one", async () => {
    await writeFile(inFolder("kept.jsonl"), "earlier\n");
    const { server } = await startBreaking(async () => {
      throw new RecollectError("STORE_UNAVAILABLE", "the store does not answer");
    });
    await using _ = server;
    const options = { address: server.address, cwd: folder };
    expect(await runCli(["memory", "export", "kept.jsonl"], options)).toMatchObject({ code: 2 });
    expect(await read("kept.jsonl")).toBe("earlier\n");
    expect(await runCli(["memory", "export", "kept.jsonl"], options)).toMatchObject({ code: 0 });
    expect(await read("kept.jsonl")).toBe(WHOLE_LINES);
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("ends gracefully on %s", async (signal, code) => {
    const { server, tokens, begun } = await startBreaking(async (ended) => {
      await abortion(ended);
      ended.throwIfAborted();
    });
    await using _ = server;
    const options = { address: server.address, cwd: folder };
    const child = spawnCli(["memory", "export", `${signal}.jsonl`], options);
    const ending = endOf(child);
    await begun;
    child.kill(signal);
    expect(await ending).toMatchObject({ code, stdout: "" });
    expect(await readdir(folder)).not.toContain(`${signal}.jsonl`);
    expect(await runCli(["memory", "export", `${signal}.jsonl`], options)).toMatchObject({ code: 0 });
    // Wherever the signal arrived: no memory is missing or duplicated.
    expect(tokens).toHaveLength(2);
    expect(await read(`${signal}.jsonl`)).toBe(WHOLE_LINES);
  });
});

describe("recollect cache stats", { timeout: TIMEOUT_MS }, () => {
  it("prints the entries and the lookup counts of the cache", async () => {
    const scope = ["--namespace", "stats", "cache"];
    await recollect([...scope, "store", "--model", "m", "--response", "yes", "Is it so?"]);
    await recollect([...scope, "lookup", "--model", "m", "Is it so?"]);
    await recollect([...scope, "lookup", "--model", "m", "Something else entirely"]);
    const printed = await recollect([...scope, "stats"]);
    expect(printed).toMatchObject({ code: 0, stderr: "" });
    expect(printed.stdout).toMatch(/^entries +1 of at most 10,000\n(.*\n)*hit rate +50\.0 %\n/);
    const json = await recollect(["--json", ...scope, "stats"]);
    expect(JSON.parse(json.stdout)).toMatchObject({
      entryCount: 1,
      exactHits: "1",
      misses: "1",
      evictions: "0",
    });
  });
});
