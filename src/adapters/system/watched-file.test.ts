import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../../test/support/leaks.ts";
import { type FileContent, type WatchedFile, watchFile, watchFiles } from "./watched-file.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "recollect-watched-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A watched file; `hasRead` resolves when it was read with this content. */
function watched(
  path: string,
  pollMs?: number,
): WatchedFile & { readonly hasRead: (content: string) => Promise<void> } {
  const waiters = new Set<{ readonly content: string; readonly resolve: () => void }>();
  const textOf = (content: FileContent): string => ("text" in content ? content.text : "unreadable");
  const file = watchFile(
    path,
    (content) => {
      for (const one of waiters) if (one.content === textOf(content)) one.resolve();
    },
    pollMs,
  );
  return {
    ...file,
    hasRead: (content) => new Promise<void>((resolve) => void waiters.add({ content, resolve })),
  };
}

/** Effectively no polling. */
const NEVER = 2 ** 31 - 1;

describe("watchFile", () => {
  it("reads on demand, in order, also a missing file", async () => {
    const path = join(folder, "file");
    const contents: string[] = [];
    await using file = watchFile(path, (content) => {
      contents.push("text" in content ? content.text : "unreadable");
    });
    await file.read();
    await writeFile(path, "one");
    await file.read();
    expect([contents[0], contents.at(-1)]).toEqual(["unreadable", "one"]);
  });

  it.each([
    ["written to", (path: string) => writeFile(path, "new")],
    [
      "replaced by another",
      async (path: string) => {
        await writeFile(`${path}.new`, "new");
        await rename(`${path}.new`, path);
      },
    ],
    [
      "removed and made again",
      async (path: string) => {
        await unlink(path);
        await writeFile(path, "new");
      },
    ],
  ])("detects by events that a file was %s", async (_name, change) => {
    const path = join(folder, "file");
    await writeFile(path, "old");
    await using file = watched(path, NEVER);
    const changed = file.hasRead("new");
    await change(path);
    await expect(changed).resolves.toBeUndefined();
  });

  it("detects the change of a mounted Kubernetes secret, whose link is replaced", async () => {
    for (const version of ["one", "two"]) {
      await mkdir(join(folder, `..${version}`));
      await writeFile(join(folder, `..${version}`, "keys"), version);
    }
    await symlink("..one", join(folder, "..data"));
    await symlink(join("..data", "keys"), join(folder, "keys"));
    await using file = watched(join(folder, "keys"), NEVER);
    const first = file.hasRead("one");
    await file.read();
    await first;
    const second = file.hasRead("two");
    await symlink("..two", join(folder, "..data_tmp"));
    await rename(join(folder, "..data_tmp"), join(folder, "..data"));
    await expect(second).resolves.toBeUndefined();
  });

  it("detects by polling a change without an event: the file is in another folder", async () => {
    await mkdir(join(folder, "elsewhere"));
    await writeFile(join(folder, "elsewhere", "target"), "old");
    await symlink(join("elsewhere", "target"), join(folder, "link"));
    await using file = watched(join(folder, "link"), 5);
    const changed = file.hasRead("new");
    await writeFile(join(folder, "elsewhere", "target"), "new");
    await expect(changed).resolves.toBeUndefined();
  });

  it("polls when there is no folder to watch", async () => {
    const path = join(folder, "later", "file");
    await using file = watched(path, 5);
    await file.hasRead("unreadable");
    const created = file.hasRead("new");
    await mkdir(join(folder, "later"));
    await writeFile(path, "new");
    await expect(created).resolves.toBeUndefined();
  });

  it("leaves nothing open, and does not call back after dispose", async () => {
    await writeFile(join(folder, "file"), "text");
    let reads = 0;
    await expectNoLeaks(async () => {
      await using file = watchFile(join(folder, "file"), () => {
        reads += 1;
      });
      await file.read();
      await writeFile(join(folder, "file"), "more");
      await file[Symbol.asyncDispose]();
      const readsAtDispose = reads;
      await file.read();
      expect(reads).toBe(readsAtDispose);
    });
  });
});

describe("watchFiles", () => {
  it("reads all of them when one has changed, in their order, each with its own failure", async () => {
    await mkdir(join(folder, "other"));
    const paths = [join(folder, "one"), join(folder, "none"), join(folder, "other", "two")];
    await writeFile(paths[0] ?? "", "1");
    const changed = Promise.withResolvers<string[]>();
    await using _files = watchFiles(
      paths,
      (contents) => {
        const texts = contents.map((content) => ("text" in content ? content.text : "unreadable"));
        if (texts[2] === "2") changed.resolve(texts);
      },
      NEVER,
    );
    await writeFile(paths[2] ?? "", "2");
    expect(await changed.promise).toEqual(["1", "unreadable", "2"]);
  });
});
