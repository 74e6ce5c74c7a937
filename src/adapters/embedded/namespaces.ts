import { RecollectError } from "../../domain/errors.ts";
import { MAX_NAMESPACES, type Scope } from "../../domain/tenancy.ts";
import type { Database } from "./database.ts";

/** The numbers that namespaces have inside the file. Every statement about data takes one, and so one scope. */
export class Namespaces {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The number of a namespace; undefined when nothing was ever written to it. */
  find(scope: Scope): number | undefined {
    const row = this.#database.first(
      "SELECT namespace_id FROM namespace WHERE tenant = ? AND name = ?",
      scope.tenant,
      scope.namespace,
    );
    return row === undefined ? undefined : Number(row["namespace_id"]);
  }

  /** The number of a namespace, which comes into being here. Only inside a write. */
  findOrCreate(scope: Scope): number {
    const found = this.find(scope);
    if (found !== undefined) return found;
    const count = this.#database.first("SELECT count(*) AS n FROM namespace WHERE tenant = ?", scope.tenant);
    if (Number(count?.["n"]) >= MAX_NAMESPACES) {
      throw new RecollectError("TOO_MANY_NAMESPACES", `a tenant has at most ${MAX_NAMESPACES} namespaces`, {
        metadata: { limit: String(MAX_NAMESPACES) },
      });
    }
    return this.#database.run(
      "INSERT INTO namespace (tenant, name) VALUES (?, ?)",
      scope.tenant,
      scope.namespace,
    );
  }
}
