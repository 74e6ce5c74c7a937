import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EndedCommand, endOf, runCli, spawnCli } from "../support/run-cli.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

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

/** The same in a process of its own, whose exit code the shell sees. */
const recollectProcess = (args: readonly string[]): Promise<EndedCommand> => {
  const child = spawnCli(args, { address: app.grpcAddress, cwd: folder });
  child.stdin.end();
  return endOf(child);
};

const parseLines = (stdout: string): unknown[] =>
  stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);

describe("recollect memory", { timeout: TIMEOUT_MS }, () => {
  it("gets memories that exceed one response, in the order of the ids", async () => {
    const ids = Array.from({ length: 80 }, (_, index) => `large${index}`);
    const memories = ids.map((id) => ({ id, text: `${id} ${"x".repeat(60_000)}` }));
    await app.memory.batchCreateMemories({ namespace: "cli-large", memories });
    const got = await recollect(["--namespace", "cli-large", "--json", "memory", "get", ...ids, "never"]);
    expect(got).toMatchObject({ code: 1, stderr: "recollect: no such memory: never\n" });
    expect(parseLines(got.stdout)).toMatchObject(memories);
  });

  it("stores a text, prints its id, and finds it", async () => {
    const scope = ["--namespace", "cli-text"];
    const added = await recollect([...scope, "memory", "add", "Ana", "is allergic to nuts", "--user", "ana"]);
    expect(added).toEqual({ code: 0, stdout: expect.stringMatching(/^[0-9a-f-]{36}\n$/), stderr: "" });
    const found = await recollect([
      ...scope,
      "--json",
      "memory",
      "search",
      "who is allergic",
      "--user",
      "ana",
    ]);
    expect(parseLines(found.stdout)).toEqual([
      expect.objectContaining({
        memory: expect.objectContaining({
          id: added.stdout.trim(),
          text: "Ana is allergic to nuts",
          userId: "ana",
        }),
      }),
    ]);
    const others = await recollect([...scope, "memory", "search", "who is allergic", "--user", "bob"]);
    expect(others).toEqual({ code: 0, stdout: "", stderr: "nothing found\n" });
    const explained = await recollect([...scope, "memory", "search", "allergic", "--explain"]);
    expect(explained.stdout).toContain("by vector: rank 1");
    expect(explained.stderr).toMatch(
      /^vector: (EXACT|ADHOC_BF), (at most )?1 pass; terms: allerg; rounds: \d\n$/,
    );
  });

  it("returns the existing memory for a duplicate text, or refuses it with --on-duplicate", async () => {
    const add = ["--namespace", "cli-twice", "memory", "add", "-"];
    const first = await recollect(add, "the same text\n");
    const second = await recollect(add, "the same text");
    expect(second).toEqual({ ...first, stderr: "already there: no new memory was stored\n" });
    const other = await recollect([...add, "--importance", "0.9"], "The same text");
    expect(other).toEqual({
      ...first,
      stderr: "already there: no new memory was stored; the existing one has another text, importance\n",
    });
    const refused = await recollect([...add, "--on-duplicate", "refuse"], "the same text\n");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("(MEMORY_DUPLICATE)");
  });

  it("replaces a memory, and searches and lists the past", async () => {
    const scope = ["--namespace", "cli-past"];
    const add = async (...args: readonly string[]): Promise<string> => {
      const { stdout, stderr } = await recollect([...scope, "memory", "add", ...args]);
      expect(stderr).toBe("");
      return stdout.trim();
    };
    const paris = await add(
      "Ana lives in Paris",
      "--event-time",
      "2020-05-01",
      "--valid-from",
      "2020-05-01T00:00Z",
    );
    const stored = await recollect([...scope, "--json", "memory", "get", paris]);
    const between = (JSON.parse(stored.stdout) as { readonly createTime: string }).createTime;
    const berlin = await add("Ana lives in Berlin", "--supersedes", paris, "--valid-until", "2120-01-01");
    const search = async (...args: readonly string[]): Promise<string> =>
      (await recollect([...scope, "memory", "search", "where does Ana live", ...args])).stdout;
    expect(await search()).toMatch(/^ 1\. [^\n]*\n {4}Ana lives in Berlin\n {4}id [^\n]*\n$/);
    expect(await search("--as-of", between)).toMatch(
      /^ 1\. [^\n]* SUPERSEDED by [^\n]*\n {4}Ana lives in Paris\n/,
    );
    expect(await search("--as-of", "2019-01-01")).toBe("");
    expect(await search("--as-of", "2121-01-01")).toBe("");
    const list = async (...args: readonly string[]): Promise<string> =>
      (await recollect([...scope, "memory", "list", ...args])).stdout;
    expect(await list()).toMatch(new RegExp(`^${berlin} {2}\\S+ {2}Ana lives in Berlin\n$`));
    expect(await list("--as-of", between)).toMatch(
      new RegExp(`^${paris} {2}\\S+ {2}SUPERSEDED by ${berlin} {2}Ana lives in Paris\n$`),
    );
    const got = await recollect([...scope, "memory", "get", paris]);
    expect(got.stdout).toContain(
      `event time: 2020-05-01T00:00:00.000Z\nvalid from: 2020-05-01T00:00:00.000Z\n`,
    );
    expect(got.stdout).toContain(`superseded by: ${berlin}\n`);
    const next = await recollect([...scope, "memory", "get", berlin]);
    expect(next.stdout).toContain(`valid until: 2120-01-01T00:00:00.000Z\nsupersedes: ${paris}\n`);
  });

  it("shows the neighbours of a result by their positions", async () => {
    const scope = ["--namespace", "cli-neighbors"];
    for (const text of ["what shall I cook", "no nuts please", "of course"]) {
      await recollect([...scope, "memory", "add", text, "--session", "s"]);
    }
    const args = ["memory", "search", "nuts", "--limit", "1", "--neighbors", "1"];
    const { stdout } = await recollect([...scope, ...args]);
    expect(stdout).toMatch(/\n {4}before \(1\): what shall I cook\n {4}after \(3\): of course\n$/);
  });

  it.each([
    [["search", "x", "--as-of", "yesterday"], "Give a date or a time"],
    [["list", "--as-of", "2026-02-30"], "Give a date or a time"],
    [["add", "--supersedes", "a", "--jsonl", "memories.jsonl"], "--supersedes is for one text"],
  ])("refuses memory %j", async (args, message) => {
    const refused = await recollect(["memory", ...args]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(message);
  });

  it("shows what each version of a memory changed, and restores one", async () => {
    const scope = ["--namespace", "cli-history"];
    const memory = { id: "paris", text: "Ana lives in Pris", tags: ["home"] };
    await app.memory.createMemory({ namespace: "cli-history", memory });
    await app.memory.updateMemory({
      namespace: "cli-history",
      memory: { id: "paris", text: "Ana lives in Paris", pinned: true },
      updateMask: { paths: ["text", "pinned"] },
    });
    const successor = { id: "berlin", text: "Ana lives in Berlin", supersedes: ["paris"] };
    await app.memory.createMemory({ namespace: "cli-history", memory: successor });
    const time = "\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z";
    const history = await recollect([...scope, "memory", "history", "paris"]);
    expect(history).toMatchObject({ code: 0, stderr: "" });
    expect(history.stdout).toMatch(
      new RegExp(
        [
          `^now  ${time}`,
          "     state: STATE_ACTIVE -> STATE_SUPERSEDED",
          "     supersededBy: none -> berlin",
          `2    ${time}`,
          "     text: Ana lives in Pris -> Ana lives in Paris",
          "     pinned: none -> true",
          `1    ${time}`,
          "     text: Ana lives in Pris\n$",
        ].join("\n"),
      ),
    );
    const json = await recollect([...scope, "--json", "memory", "history", "paris"]);
    expect(parseLines(json.stdout)).toMatchObject([
      { number: 2, memory: { text: "Ana lives in Paris", state: "STATE_ACTIVE" } },
      { number: 1, memory: { text: "Ana lives in Pris", tags: ["home"] } },
    ]);
    const restored = await recollect([...scope, "memory", "restore", "paris"]);
    expect(restored).toMatchObject({ code: 0, stderr: "" });
    expect(restored.stdout).toMatch(/^paris {2}.* ACTIVE\ntags: home\nAna lives in Paris\n$/);
    const first = await recollect([...scope, "--json", "memory", "restore", "paris", "--revision", "1"]);
    expect(parseLines(first.stdout)).toMatchObject([{ id: "paris", text: "Ana lives in Pris" }]);
    const again = await recollect([...scope, "memory", "restore", "paris"]);
    expect(again).toMatchObject({ code: 2, stdout: "" });
    expect(again.stderr).toContain("(MEMORY_ALREADY_ACTIVE)");
    const missing = await recollect([...scope, "memory", "history", "never"]);
    expect(missing.stderr).toContain("(MEMORY_NOT_FOUND)");
    expect(missing.code).toBe(2);
  });

  it("splits documents into passages with their source, heading and position", async () => {
    await writeFile(
      join(folder, "guide.md"),
      "# Guide\n\nHow to grow roses.\n\n# Pests\n\nAphids eat roses.\n",
    );
    const scope = ["--namespace", "cli-file"];
    const added = await recollect([...scope, "memory", "add", "--file", "guide.md", "--tag", "garden"]);
    expect(added).toEqual({ code: 0, stdout: "2 stored, 0 already there, 0 failed\n", stderr: "" });
    const found = await recollect([
      ...scope,
      "memory",
      "search",
      "aphids",
      "--tag",
      "garden",
      "--limit",
      "1",
    ]);
    expect(found.stdout).toMatch(
      /^ 1\. {2}score 1\.000 .* guide\.md # Pests\n {4}# Pests Aphids eat roses\.\n/,
    );
  });

  it("stores the valid lines of a JSONL file, names the invalid ones, and exits with 1", async () => {
    const lines = [
      '{"text": "one", "userId": "u"}',
      '{"text": ""}',
      "nonsense",
      '{"text": "two", "user_id": "u", "kind": "KIND_EPISODIC"}',
    ];
    const scope = ["--namespace", "cli-jsonl"];
    const added = await recollect([...scope, "memory", "add", "--jsonl", "-"], lines.join("\n"));
    expect(added.code).toBe(1);
    expect(added.stdout).toBe("2 stored, 0 already there, 2 failed\n");
    expect(added.stderr).toMatch(/standard input, line 3: not JSON/);
    expect(added.stderr).toMatch(/standard input, line 2: .*\(REQUEST_INVALID\)/);
    const found = await recollect([...scope, "--json", "memory", "search", "two", "--kind", "episodic"]);
    expect(parseLines(found.stdout)).toHaveLength(1);
  });

  it("sends more than one batch", async () => {
    const lines = Array.from({ length: 250 }, (_, index) =>
      JSON.stringify({ text: `memory number ${index}` }),
    );
    const added = await recollect(
      ["--namespace", "cli-many", "memory", "add", "--jsonl", "-"],
      lines.join("\n"),
    );
    expect(added).toEqual({ code: 0, stdout: "250 stored, 0 already there, 0 failed\n", stderr: "" });
  });
});

describe("recollect cache", { timeout: TIMEOUT_MS }, () => {
  it("exits with 1 on a miss, stores with the decision token, and exits with 0 on a hit with only the response on stdout", async () => {
    const scope = ["--namespace", "cli-cache"];
    const question = "What is the capital of France?";
    const lookup = [...scope, "cache", "lookup", "--model", "m"];
    const missed = await recollectProcess([...lookup, question, "--json"]);
    expect(missed.code).toBe(1);
    const [{ decisionId }] = parseLines(missed.stdout) as [{ decisionId: string }];
    const stored = await recollect(
      [...scope, "cache", "store", "--decision", decisionId, question],
      "Paris\n",
    );
    expect(stored).toEqual({ code: 0, stdout: expect.stringMatching(/^[0-9a-f]{64}\n$/), stderr: "" });
    const exact = await recollect([...lookup, question]);
    expect(exact).toEqual({ code: 0, stdout: "Paris\n", stderr: expect.stringMatching(/^hit: EXACT/) });
    const reworded = await recollect([...lookup, "What's the capital of France, please?"]);
    expect(reworded).toEqual({ code: 0, stdout: "Paris\n", stderr: expect.stringMatching(/^hit: SEMANTIC/) });
    const foreign = await recollect([...lookup, "--system", "Be brief.", question]);
    expect(foreign).toEqual({ code: 1, stdout: "", stderr: expect.stringMatching(/^miss: NOT_FOUND/) });
  });

  it("invalidates the entries that meet all conditions, and counts them with --validate-only", async () => {
    const command = ["--namespace", "cli-invalidate", "cache"];
    const store = [...command, "store", "--model", "m", "--response", "Paris"];
    await recollect([...store, "--tag", "geo", "What is the capital of France?"]);
    await recollect([...store, "What is the capital of Spain?"]);
    const counted = await recollect([
      ...command,
      "invalidate",
      "--tag",
      "geo",
      "--tag",
      "x",
      "--validate-only",
    ]);
    expect(counted).toEqual({
      code: 0,
      stdout: "1 entries would be invalidated: the matching entries of namespace cli-invalidate\n",
      stderr: "",
    });
    const none = await recollect([
      ...command,
      "invalidate",
      "--model",
      "m",
      "--knowledge-version",
      "2",
      "--json",
    ]);
    expect(parseLines(none.stdout)).toEqual([{ wholeNamespace: false }]);
    const all = await recollect([...command, "invalidate"]);
    expect(all).toEqual({
      code: 0,
      stdout: "invalidated all entries of namespace cli-invalidate\n",
      stderr: "",
    });
    const missed = await recollect([...command, "lookup", "--model", "m", "What is the capital of Spain?"]);
    expect(missed.code).toBe(1);
  });

  it("reports that an answer is wrong, which is not served again for that prompt", async () => {
    const command = ["--namespace", "cli-report", "cache"];
    const lookup = [...command, "lookup", "--model", "m", "What is the capital of France?", "--json"];
    await recollect([
      ...command,
      "store",
      "--model",
      "m",
      "--response",
      "Lyon",
      "What is the capital of France?",
    ]);
    const [{ decisionId }] = parseLines((await recollect(lookup)).stdout) as [{ decisionId: string }];
    const reported = await recollect([...command, "report", decisionId, "incorrect"]);
    expect(reported).toEqual({ code: 0, stdout: "reported\n", stderr: "" });
    const missed = await recollect(lookup);
    expect(missed.code).toBe(1);
    expect(missed.stdout).toContain("REASON_VETOED");
    const refused = await recollect([...command, "report", decisionId, "wrong"]);
    expect(refused.code).toBe(2);
  });

  it("explains a miss, and shows and changes how strict the guard is", async () => {
    const scope = ["--namespace", "cli-guard"];
    const lookup = [...scope, "cache", "lookup", "--model", "m"];
    await recollect([...scope, "cache", "store", "--model", "m", "How do I cancel 2 orders?"], "So.\n");
    const asked = "How do I cancel 3 orders?";
    const missed = await recollect([...lookup, asked]);
    const reasons =
      /^miss: \w+, nearest similarity 0\.\d{3}, threshold 0\.\d\d, refused by the guard for NUMBER, guard /;
    expect(missed).toEqual({ code: 1, stdout: "", stderr: expect.stringMatching(reasons) });
    expect(missed.stderr).toContain("guard balanced\n");
    const strict = await recollect([...lookup, "--guard", "strict", asked]);
    expect(strict.stderr).toContain("guard strict\n");
    const loose = await recollect([...lookup, "--guard", "closed", asked]);
    expect(loose).toMatchObject({ code: 2, stderr: expect.stringContaining("(GUARD_TOO_LOOSE)") });

    const policy = [...scope, "cache", "policy"];
    const before = await recollect([...policy, "get"]);
    expect(before).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^guard +balanced \(the server's\)\nchanged +never\n/),
    });
    const set = await recollect([...policy, "set", "--guard", "closed"]);
    expect(set).toMatchObject({ code: 0, stdout: expect.stringMatching(/^guard +closed\nchanged +2/) });
    expect((await recollect([...lookup, "--guard", "closed", asked])).code).toBe(1);
    const [{ policy: stored }] = parseLines((await recollect([...policy, "get", "--json"])).stdout) as [
      { policy: { guard: string; etag: string } },
    ];
    expect(stored.guard).toBe("CACHE_GUARD_CLOSED");
    const other = await recollect([...policy, "set", "--guard", "server", "--etag", "another"]);
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining("(ETAG_MISMATCH)") });
    const cleared = await recollect([...policy, "set", "--guard", "server", "--etag", stored.etag]);
    expect(cleared).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^guard +balanced \(the server's\)/),
    });
  });
});

describe("recollect", { timeout: TIMEOUT_MS }, () => {
  it("prints the reason of a refusal and exits with 2", async () => {
    expect(await recollectProcess(["memory", "search", "x", "--limit", "1000"])).toEqual({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(/^recollect: limit: .* \(REQUEST_INVALID\)\n$/),
    });
  });

  it("reports a server that speaks another protocol", async () => {
    const httpAddress = new URL(app.httpUrl).host;
    const ended = await recollect(["memory", "search", "x", "--address", httpAddress]);
    expect(ended).toEqual({
      code: 2,
      stdout: "",
      stderr: `recollect: ${httpAddress} does not speak gRPC; is it the HTTP port?\n`,
    });
  });

  it("prints how to start a server when none answers", async () => {
    expect(await recollect(["memory", "search", "x", "--address", "localhost:1"])).toEqual({
      code: 2,
      stdout: "",
      stderr: "recollect: no server at localhost:1; start one with `make run`\n",
    });
  });

  it.each([
    [["memory", "add"], "give one of: text, - for standard input, --file, --jsonl"],
    [["memory", "add", "--file", "missing.md"], "missing.md: there is no such file"],
    [["memory", "add", "x", "--ttl", "5"], "such as 90s, 12h or 7d"],
    [["cache", "lookup", "x"], "required option '--model <name>' not specified"],
    [["cache", "policy", "set"], "required option '--guard <strictness>' not specified"],
    [["cache", "policy", "set", "--guard", "loose"], "Allowed choices are"],
    [["frobnicate"], "unknown command 'frobnicate'"],
    [["memory", "search", "x", "--address", "here"], "the address must be host:port"],
  ])("exits with 2 on a usage error: %j", async (args, message) => {
    const ended = await recollect(args);
    expect(ended).toEqual({ code: 2, stdout: "", stderr: expect.stringContaining(message) });
    expect(ended.stderr).toMatch(/^recollect: /);
  });

  it("prints help", async () => {
    const helped = await recollectProcess(["memory", "add", "--help"]);
    expect(helped).toEqual({ code: 0, stdout: expect.stringContaining("Exit codes:"), stderr: "" });
  });
});
