import { DatabaseSync } from "node:sqlite";
import { RecollectError } from "../../../domain/errors.ts";
import { guarded, isBusy } from "./errors.ts";
import { migrate } from "./migrations.ts";

/** Opens the file exclusively and migrates it to the newest format; `format` is the one it had, 0 for a new file. */
export function openSqlite(file: string): { readonly sqlite: DatabaseSync; readonly format: number } {
  return guarded(() => {
    const sqlite = new DatabaseSync(file, { enableForeignKeyConstraints: true });
    try {
      // The file stays locked until this process exits, however it exits.
      sqlite.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
      // Deleted content is overwritten with zeros: a free page would keep a deleted text until it is used again. It takes 5 to
      // 20 % more processor time of a write that deletes.
      sqlite.exec("PRAGMA secure_delete = ON");
      // In KiB: 64 MiB of page cache, so that searches of a large namespace do not read the file each time.
      sqlite.exec("PRAGMA cache_size = -65536");
      return { sqlite, format: migrate(sqlite) };
    } catch (error) {
      sqlite.close();
      throw isBusy(error) ? inUse(file, error) : error;
    }
  });
}

function inUse(file: string, cause: unknown): RecollectError {
  return new RecollectError(
    "STORE_UNAVAILABLE",
    `${file} is in use by another process; the embedded store serves one at a time (choose another DATA_DIR, or Redis)`,
    { metadata: { backend: "embedded" }, cause },
  );
}
