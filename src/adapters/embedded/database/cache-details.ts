import type { Database } from "./database.ts";

/** Counters of a namespace's cache by name; see detailsOf. */
export class CacheDetailCounters {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Only inside a write. */
  add(namespaceId: number, name: string, added: number): void {
    this.#database.run(
      `INSERT INTO cache_detail (namespace_id, name, value) VALUES (?, ?, ?)
       ON CONFLICT (namespace_id, name) DO UPDATE SET value = value + excluded.value`,
      namespaceId,
      name,
      added,
    );
  }

  read(namespaceId: number): Map<string, number> {
    const rows = this.#database.all(
      "SELECT name, value FROM cache_detail WHERE namespace_id = ?",
      namespaceId,
    );
    return new Map(rows.map((row) => [String(row["name"]), Number(row["value"])]));
  }
}
