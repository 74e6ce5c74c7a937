import { type FSWatcher, watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";

/** Change events come in bursts; the file is read once after this time. */
const SETTLE_MS = 50;
/** Polling interval, for files without change events (network disks, links to other folders). */
const POLL_MS = 2000;
/** The link that Kubernetes replaces when it updates a mounted secret; the file itself is a link through it. */
const KUBERNETES_DATA = "..data";

/** The text of a file, or the error of reading it. */
export type FileContent = { readonly text: string } | { readonly error: unknown };

export interface WatchedFile extends AsyncDisposable {
  /** Reads the file now; resolves after the callback has run. */
  read(): Promise<void>;
}

/**
 * Reads a file at each change event, and every two seconds. Calls `onContent` after each read, changed or not, in order of
 * reading. Does not keep the process alive.
 */
export function watchFile(
  path: string,
  onContent: (content: FileContent) => void,
  pollMs?: number,
): WatchedFile {
  return watchFiles([path], ([content]) => content !== undefined && onContent(content), pollMs);
}

/** As watchFile, for related files: all are read when one may have changed, and passed in the order of `paths`. */
export function watchFiles(
  paths: readonly string[],
  onContents: (contents: readonly FileContent[]) => void,
  pollMs: number = POLL_MS,
): WatchedFile {
  let closed = false;
  let reading: Promise<void> = Promise.resolve();
  const read = (): Promise<void> => {
    reading = reading.then(async () => {
      if (closed) return;
      const contents = await Promise.all(paths.map(contentOf));
      if (!closed) onContents(contents);
    });
    return reading;
  };
  let settling: NodeJS.Timeout | undefined;
  const onChange = (): void => {
    settling ??= setTimeout(() => {
      settling = undefined;
      void read();
    }, SETTLE_MS).unref();
  };
  const watchers = paths.map((path) => watchFolder(path, onChange));
  const polling = setInterval(() => void read(), pollMs).unref();
  return {
    read,
    [Symbol.asyncDispose]: async () => {
      closed = true;
      for (const watcher of watchers) watcher?.close();
      clearTimeout(settling);
      clearInterval(polling);
      await reading;
    },
  };
}

async function contentOf(path: string): Promise<FileContent> {
  try {
    return { text: await readFile(path, "utf8") };
  } catch (error) {
    return { error };
  }
}

/** Watches the folder, because a replaced file is another inode. Undefined: not supported, and polling must suffice. */
function watchFolder(path: string, onChange: () => void): FSWatcher | undefined {
  const names: ReadonlySet<string | null> = new Set([basename(path), KUBERNETES_DATA, null]);
  try {
    const watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
      if (names.has(name)) onChange();
    });
    // The folder was deleted, or watching failed; polling continues.
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
