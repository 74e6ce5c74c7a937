import { MAX_NAMESPACES, type Scope } from "../../../domain/access/tenancy.ts";
import { tooManyNamespaces } from "../../../domain/errors.ts";
import type { Database } from "../database/database.ts";

/** No namespace has this name: under it lie the records of requests that outlive the namespace they are about. */
const TENANT_RECORDS = "";

/** The numbers that namespaces have inside the file. Every statement about data takes one, and so one scope. */
export class Namespaces {
  readonly #database: Database;
  #onCreated: (scope: Scope) => void = () => undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Calls this inside the write with which a namespace comes into being, for the first time or again. */
  onCreated(listener: (scope: Scope) => void): void {
    this.#onCreated = listener;
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
    const count = this.#database.first(
      "SELECT count(*) AS n FROM namespace WHERE tenant = ? AND name <> ?",
      scope.tenant,
      TENANT_RECORDS,
    );
    if (scope.namespace !== TENANT_RECORDS && Number(count?.["n"]) >= MAX_NAMESPACES) {
      throw tooManyNamespaces(MAX_NAMESPACES);
    }
    this.#onCreated(scope);
    return this.#database.run(
      "INSERT INTO namespace (tenant, name) VALUES (?, ?)",
      scope.tenant,
      scope.namespace,
    );
  }

  /** The number under which a tenant's records lie that outlive their namespace. Only inside a write. */
  recordsOf(tenant: string): number {
    return this.findOrCreate({ tenant, namespace: TENANT_RECORDS });
  }
}
