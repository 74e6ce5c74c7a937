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

/** A watched file, and a way to wait until it was read with a content. */
function watched(
  path: string,
  pollMs?: number,
): WatchedFile & { readonly seen: (content: string) => Promise<void> } {
  const waiting = new Set<{ readonly content: string; readonly resolve: () => void }>();
  const spell = (content: FileContent): string => ("text" in content ? content.text : "unreadable");
  const file = watchFile(
    path,
    (content) => {
      for (const one of waiting) if (one.content === spell(content)) one.resolve();
    },
    pollMs,
  );
  return {
    ...file,
    seen: (content) => new Promise<void>((resolve) => void waiting.add({ content, resolve })),
  };
}

/** So rare that it cannot be what has seen the change. */
const NEVER = 2 ** 31 - 1;

describe("watchFile", () => {
  it("reads on demand, in order, what is there and that nothing is", async () => {
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
  ])("sees a file that is %s when the system tells", async (_name, change) => {
    const path = join(folder, "file");
    await writeFile(path, "old");
    await using file = watched(path, NEVER);
    const seen = file.seen("new");
    await change(path);
    await expect(seen).resolves.toBeUndefined();
  });

  it("sees a mounted secret of Kubernetes change, which is a link that is exchanged", async () => {
    for (const version of ["one", "two"]) {
      await mkdir(join(folder, `..${version}`));
      await writeFile(join(folder, `..${version}`, "keys"), version);
    }
    await symlink("..one", join(folder, "..data"));
    await symlink(join("..data", "keys"), join(folder, "keys"));
    await using file = watched(join(folder, "keys"), NEVER);
    const first = file.seen("one");
    await file.read();
    await first;
    const second = file.seen("two");
    await symlink("..two", join(folder, "..data_tmp"));
    await rename(join(folder, "..data_tmp"), join(folder, "..data"));
    await expect(second).resolves.toBeUndefined();
  });

  it("sees by looking what the system does not tell of: the file lies elsewhere", async () => {
    await mkdir(join(folder, "elsewhere"));
    await writeFile(join(folder, "elsewhere", "target"), "old");
    await symlink(join("elsewhere", "target"), join(folder, "link"));
    await using file = watched(join(folder, "link"), 5);
    const seen = file.seen("new");
    await writeFile(join(folder, "elsewhere", "target"), "new");
    await expect(seen).resolves.toBeUndefined();
  });

  it("looks again and again where there is no folder to watch", async () => {
    const path = join(folder, "later", "file");
    await using file = watched(path, 5);
    await file.seen("unreadable");
    const seen = file.seen("new");
    await mkdir(join(folder, "later"));
    await writeFile(path, "new");
    await expect(seen).resolves.toBeUndefined();
  });

  it("leaves nothing open, and hands nothing over after its end", async () => {
    await writeFile(join(folder, "file"), "text");
    let reads = 0;
    await expectNoLeaks(async () => {
      await using file = watchFile(join(folder, "file"), () => {
        reads += 1;
      });
      await file.read();
      await writeFile(join(folder, "file"), "more");
      await file[Symbol.asyncDispose]();
      const atTheEnd = reads;
      await file.read();
      expect(reads).toBe(atTheEnd);
    });
  });
});

describe("watchFiles", () => {
  it("reads all of them when one has changed, in their order, each with its own failure", async () => {
    await mkdir(join(folder, "other"));
    const paths = [join(folder, "one"), join(folder, "none"), join(folder, "other", "two")];
    await writeFile(paths[0] ?? "", "1");
    const seen = Promise.withResolvers<string[]>();
    await using _files = watchFiles(
      paths,
      (contents) => {
        const texts = contents.map((content) => ("text" in content ? content.text : "unreadable"));
        if (texts[2] === "2") seen.resolve(texts);
      },
      NEVER,
    );
    await writeFile(paths[2] ?? "", "2");
    expect(await seen.promise).toEqual(["1", "unreadable", "2"]);
  });
});
