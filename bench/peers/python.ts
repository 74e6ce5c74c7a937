import { execFile } from "node:child_process";
import { access, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

const CACHE = join(import.meta.dirname, "../../.cache/bench-peers");
/** numpy needs it. */
const MIN_VERSION = [3, 11] as const;
const INSTALL_MS = 600_000;
const NEEDS = `the peers are Python libraries: 'make bench-peers' needs Python ${MIN_VERSION.join(".")} or newer as python3, with venv and pip, and PyPI or a mirror of it the first time`;

/**
 * The Python of a virtual environment in .cache with the packages of `requirements-<peer>.txt`, made the first time and
 * whenever that file changes. Throws an error that says what is missing.
 */
export async function pythonOf(peer: string): Promise<string> {
  const requirements = join(import.meta.dirname, `requirements-${peer}.txt`);
  const folder = join(CACHE, peer);
  const python = join(folder, "bin/python");
  const installed = join(folder, "installed.txt");
  const wanted = await readFile(requirements, "utf8");
  if ((await readFile(installed, "utf8").catch(() => "")) === wanted) return python;

  const { stdout } = await step("there is no python3 on PATH", "python3", [
    "-c",
    "import sys; print(*sys.version_info[:2])",
  ]);
  const [major = 0, minor = 0] = stdout.trim().split(" ").map(Number);
  if (major < MIN_VERSION[0] || (major === MIN_VERSION[0] && minor < MIN_VERSION[1])) {
    throw new Error(`python3 is ${major}.${minor}; ${NEEDS}`);
  }
  await mkdir(CACHE, { recursive: true });
  await rm(folder, { recursive: true, force: true });
  await step(
    "python3 could not make a virtual environment (on Debian: apt-get install python3-venv)",
    "python3",
    ["-m", "venv", folder],
  );
  await access(python);
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements];
  await step(`pip could not install ${requirements} (is the package registry reachable?)`, python, pip);
  await writeFile(installed, wanted);
  return python;
}

async function step(failure: string, program: string, args: readonly string[]): Promise<{ stdout: string }> {
  try {
    return await run(program, args, { timeout: INSTALL_MS });
  } catch (error) {
    const { stderr = "" } = error as { readonly stderr?: string };
    const detail = stderr.trim().split("\n").at(-1) ?? "";
    throw new Error([failure, detail, NEEDS].filter((part) => part !== "").join("; "), { cause: error });
  }
}
