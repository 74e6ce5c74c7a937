import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeFileSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MIB = 1024 * 1024;

/** A file system that is unmounted when disposed. */
export interface SmallDisk extends AsyncDisposable {
  /** An empty directory on it. */
  readonly directory: string;
  /** Fills it with a file outside that directory, until this number of bytes is free. */
  fill(leave: number): void;
  /** Deletes the file of `fill`. */
  empty(): void;
  /** Remounts it with options of mount(8), such as `size=20m` or `ro`. */
  remount(options: string): void;
}

/** Whether this process may mount a file system of this type. */
export function canMount(kind: "tmpfs" | "ext4"): boolean {
  if (process.getuid?.() !== 0 || process.platform !== "linux") return false;
  const place = join(tmpdir(), `recollect-mount-${kind}-${process.pid}`);
  mkdirSync(place, { recursive: true });
  const works = mount(kind, place, 8);
  if (works) spawnSync("umount", [place]);
  rmSync(place, { recursive: true, force: true });
  rmSync(imageOf(place), { force: true });
  return works;
}

export async function smallDisk(kind: "tmpfs" | "ext4", mebibytes: number): Promise<SmallDisk> {
  const place = await mkdtemp(join(tmpdir(), "recollect-disk-"));
  if (!mount(kind, place, mebibytes)) throw new Error(`a ${kind} of ${mebibytes} MiB could not be mounted`);
  const ballast = join(place, "ballast");
  const directory = join(place, "data");
  mkdirSync(directory);
  return {
    directory,
    fill: (leave) => {
      const { bavail, bsize } = statfsSync(place);
      append(ballast, bavail * bsize - leave);
    },
    empty: () => rmSync(ballast, { force: true }),
    remount: (options) => run("mount", "-o", `remount,${options}`, place),
    [Symbol.asyncDispose]: async () => {
      run("umount", "-l", place);
      await rm(place, { recursive: true, force: true });
      await rm(imageOf(place), { force: true });
    },
  };
}

function mount(kind: "tmpfs" | "ext4", place: string, mebibytes: number): boolean {
  if (kind === "tmpfs") {
    return spawnSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", place]).status === 0;
  }
  writeFileSync(imageOf(place), "");
  return (
    spawnSync("truncate", ["-s", `${mebibytes}M`, imageOf(place)]).status === 0 &&
    spawnSync("mkfs.ext4", ["-q", "-F", imageOf(place)]).status === 0 &&
    spawnSync("mount", ["-o", "loop", imageOf(place), place]).status === 0
  );
}

function imageOf(place: string): string {
  return `${place}.image`;
}

function run(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
}

/** Ignores a disk that is full earlier than expected. */
function append(path: string, bytes: number): void {
  const file = openSync(path, "a");
  try {
    for (let left = bytes; left > 0; left -= MIB) writeSync(file, Buffer.alloc(Math.min(MIB, left)));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  } finally {
    closeSync(file);
  }
}
