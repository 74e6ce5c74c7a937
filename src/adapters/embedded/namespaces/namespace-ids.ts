import { MAX_NAMESPACES, type NamespaceKey } from "../../../domain/access/tenancy.ts";
import { tooManyNamespaces } from "../../../domain/errors.ts";
import type { Database } from "../database/database.ts";

/** No namespace has this name; its id holds the idempotency records that outlive their namespace. */
const TENANT_RECORDS = "";

/** The ids of namespaces in this file. Every statement about data takes one, so it is limited to that namespace. */
export class NamespaceIds {
  readonly #database: Database;
  #onCreated: (scope: NamespaceKey) => void = () => undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  /** `listener` is called inside the write that creates a namespace, for the first time or again. */
  onCreated(listener: (scope: NamespaceKey) => void): void {
    this.#onCreated = listener;
  }

  /** The id of a namespace; undefined when nothing was ever written to it. */
  find(scope: NamespaceKey): number | undefined {
    const row = this.#database.first(
      "SELECT namespace_id FROM namespace WHERE tenant = ? AND name = ?",
      scope.tenant,
      scope.namespace,
    );
    return row === undefined ? undefined : Number(row["namespace_id"]);
  }

  /** The id of a namespace, which is created if it does not exist. Only inside a write. */
  findOrCreate(scope: NamespaceKey): number {
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

  /** The id of a tenant's idempotency records that outlive their namespace. Only inside a write. */
  recordsOf(tenant: string): number {
    return this.findOrCreate({ tenant, namespace: TENANT_RECORDS });
  }
}
