import { type FSWatcher, watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";

/** Changes of a file come in bursts; it is read when they are over. */
const SETTLE_MS = 50;
/** Where the system tells nothing (network disks, links to elsewhere), a change is seen after this at the latest. */
const POLL_MS = 2000;
/** What Kubernetes exchanges when it updates a mounted secret; the file itself is a link through it. */
const KUBERNETES_DATA = "..data";

/** What reading a file gave: its text, or why there is none. */
export type FileContent = { readonly text: string } | { readonly error: unknown };

export interface WatchedFile extends AsyncDisposable {
  /** Reads the file now; resolves when what it held has been handed over. */
  read(): Promise<void>;
}

/**
 * Reads a file again and again: whenever the system says that it may have changed, and every two seconds. What was
 * read is handed over each time, changed or not, in the order of reading. Keeps no process alive.
 */
export function watchFile(
  path: string,
  onContent: (content: FileContent) => void,
  pollMs?: number,
): WatchedFile {
  return watchFiles([path], ([content]) => content !== undefined && onContent(content), pollMs);
}

/** The same for files that belong together: all are read when one may have changed, and handed over in their order. */
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

/** Its folder, because a file that is replaced is another file. Undefined: the system cannot, and polling must do. */
function watchFolder(path: string, onChange: () => void): FSWatcher | undefined {
  const names: ReadonlySet<string | null> = new Set([basename(path), KUBERNETES_DATA, null]);
  try {
    const watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
      if (names.has(name)) onChange();
    });
    // The folder has gone, or the system has stopped telling; polling goes on.
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
