import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { keysFile, type TestKey, testKey } from "../../support/api-keys.ts";
import { type EndedCommand, runCli } from "../../support/run-cli.ts";
import { startProcess, type TestProcess } from "../../support/start-process.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const ENV = {
  AUTH_MODE: "api_keys",
  AUTH_API_KEYS_FILE: "keys.yaml",
  GRPC_HOST: "127.0.0.1",
  HTTP_HOST: "127.0.0.1",
};

interface Served {
  readonly server: TestProcess;
  readonly grpc: string;
  /** HTTP status of a call with this key. */
  call(key: TestKey): Promise<number>;
  /** Replaces the file. */
  replace(content: string): Promise<void>;
  warnings(): Promise<readonly string[]>;
}

async function serve(server: TestProcess): Promise<Served> {
  const { http, grpc } = JSON.parse(await server.lineWith('"serving"')) as { http: string; grpc: string };
  const path = join(server.directory, "keys.yaml");
  return {
    server,
    grpc,
    call: async ({ key }) =>
      (
        await fetch(`http://${http}/recollect.v1.MemoryService/ListMemories`, {
          method: "POST",
          headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
          body: "{}",
        })
      ).status,
    replace: async (content) => {
      await writeFile(`${path}.new`, content);
      await rename(`${path}.new`, path);
    },
    warnings: async () =>
      ((await (await fetch(`http://${http}/ready`)).json()) as { readonly warnings: string[] }).warnings,
  };
}

/** Runs the command in this directory, such as the server's. */
const recollect = (
  directory: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<EndedCommand> => runCli(args, { address: "localhost:1", cwd: directory, env });

describe("the API key file", () => {
  const [old, kept, added] = [testKey(), testKey({ principal: "kept" }), testKey({ principal: "added" })];
  const files = { "keys.yaml": keysFile([old, kept]) };

  it("is reloaded when it changes: removed keys are refused, new ones accepted", async () => {
    await using server = await startProcess(ENV, { files });
    const { call, replace } = await serve(server);
    expect([await call(old), await call(kept), await call(added)]).toEqual([200, 200, 401]);
    await replace(keysFile([kept, added]));
    await server.lineWith('"added":1,"removed":1');
    expect([await call(old), await call(kept), await call(added)]).toEqual([401, 200, 200]);
  });

  it("is ignored while it is invalid or missing, with a warning in log, /ready and a metric", async () => {
    await using server = await startProcess(ENV, { files });
    const { call, replace, warnings } = await serve(server);
    const warned = expect.stringContaining("API keys");
    expect(await warnings()).not.toContainEqual(warned);
    await replace(`${keysFile([added])}- tenant: Acme\n  xyzzy: xyzzy\n`);
    const refused = JSON.parse(await server.lineWith("the file of API keys is invalid")) as Record<
      string,
      unknown
    >;
    expect(refused["level"]).toBe("ERROR");
    expect((refused["problems"] as string[]).length).toBeGreaterThan(3);
    expect([await call(old), await call(added)]).toEqual([200, 401]);
    expect(await warnings()).toContainEqual(warned);

    await rm(join(server.directory, "keys.yaml"));
    await server.lineWith("ENOENT");
    expect(await call(old)).toBe(200);

    await replace(keysFile([added]));
    await server.lineWith('"added":1,"removed":2');
    expect([await call(old), await call(added)]).toEqual([401, 200]);
    expect(await warnings()).not.toContainEqual(warned);
    expect(server.stdout()).not.toContain("xyzzy");
  });

  it("is reloaded on SIGHUP", async () => {
    await using server = await startProcess(ENV, { files });
    const { call, replace } = await serve(server);
    await replace(keysFile([added]));
    server.process.kill("SIGHUP");
    await server.lineWith('"reloaded"');
    await server.lineWith('"added":1,"removed":2');
    expect([await call(old), await call(added)]).toEqual([401, 200]);
    server.process.kill("SIGTERM");
    expect(await server.exited).toBe(0);
  });

  it.each([
    ["is missing", {}],
    ["is empty", { "keys.yaml": "" }],
    [
      "has two errors",
      { "keys.yaml": `${keysFile([old])}- sha256: xyzzy\n  principal: app\n  roles: [reader]\n` },
    ],
  ])(
    "fails the start when it %s, with a line for each error",
    async (_name, wrong: Record<string, string>) => {
      await using server = await startProcess(ENV, { files: wrong });
      expect(await server.exited).toBe(2);
      const faults = server.stderr().trim().split("\n");
      expect(faults).toHaveLength(wrong["keys.yaml"]?.includes("xyzzy") ? 2 : 1);
      for (const fault of faults) expect(fault).toContain("AUTH_API_KEYS_FILE");
      expect(server.stderr()).not.toContain("xyzzy");
      expect(server.stdout()).not.toContain('"serving"');
      const check = await recollect(server.directory, ["config", "check"], ENV);
      expect(check).toEqual({ code: 2, stderr: server.stderr(), stdout: "" });
    },
  );
});

describe("recollect key create", () => {
  it("creates a key and its row, which a running server reloads and accepts", async () => {
    const files = { "keys.yaml": keysFile([testKey()]).trimEnd() };
    await using server = await startProcess(ENV, { files });
    const { grpc } = await serve(server);
    const made = await recollect(server.directory, [
      ...["key", "create", "--tenant", "acme", "--principal", "shop"],
      ...["--role", "reader", "--role", "writer", "--debug", "--file", "keys.yaml"],
    ]);
    expect(made).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^recollect_[\w-]{43}\n$/),
      stderr: expect.stringContaining("keys.yaml"),
    });
    await server.lineWith('"keys":2,"added":1,"removed":0');
    const file = await readFile(join(server.directory, "keys.yaml"), "utf8");
    expect(file).not.toContain(made.stdout.trim());

    const key = made.stdout.trim();
    const env = { RECOLLECT_ADDRESS: grpc };
    const add = ["memory", "add", "kept by key"];
    expect(await recollect(server.directory, add, { ...env, RECOLLECT_API_KEY: key })).toMatchObject({
      code: 0,
    });
    const found = await recollect(server.directory, ["--api-key", key, "memory", "search", "kept"], env);
    expect(found.stdout).toContain("kept by key");
    const refused = await recollect(server.directory, add, env);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("CREDENTIAL_INVALID")]);
    expect(refused.stderr).toContain("RECOLLECT_API_KEY");
    const broken = await recollect(server.directory, ["--api-key", "two lines\nxyzzy", ...add], env);
    expect(broken.code).toBe(2);
    expect(broken.stderr).not.toContain("xyzzy");
  });

  it("prints the row with the key when no file is given, or both as JSON", async () => {
    await using folder = await temporaryFolder();
    const create = ["key", "create", "--tenant", "acme", "--principal", "app:", "--role", "operator"];
    const made = await recollect(folder.path, create);
    expect(made.stderr).toContain("roles: [operator]");
    const asJson = await recollect(folder.path, ["--json", ...create]);
    const { key, row } = JSON.parse(asJson.stdout) as { readonly key: string; readonly row: string };
    expect(key).not.toBe(made.stdout.trim());
    expect(row).toContain('principal: "app:"');
  });

  it.each([
    ["without a role", ["--tenant", "acme", "--principal", "app"], {}],
    ["for an invalid tenant name", ["--tenant", "Acme", "--principal", "app", "--role", "reader"], {}],
    [
      "into an invalid file",
      ["--tenant", "acme", "--principal", "app", "--role", "reader", "--file", "keys.yaml"],
      { "keys.yaml": "a: map\n" },
    ],
  ])("creates no key %s", async (_name, args, files: Record<string, string>) => {
    await using folder = await temporaryFolder(files);
    const { code, stdout, stderr } = await recollect(folder.path, ["key", "create", ...args]);
    expect(code).toBe(2);
    expect([stdout, stderr.trim().split("\n").length]).toEqual(["", 1]);
    if (files["keys.yaml"] !== undefined) {
      expect(await readFile(join(folder.path, "keys.yaml"), "utf8")).toBe(files["keys.yaml"]);
    }
  });
});
