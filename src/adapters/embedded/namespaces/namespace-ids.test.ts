import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MAX_NAMESPACES } from "../../../domain/access/tenancy.ts";
import { Database } from "../database/database.ts";
import { NamespaceIds } from "./namespace-ids.ts";

describe("a tenant with as many namespaces as there may be", () => {
  let directory: string;
  let database: Database;
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "recollect-namespaces-"));
    database = new Database(join(directory, "recollect.db"));
    await database.write(() => ({
      result: database.run(
        `INSERT INTO namespace (tenant, name)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT 't', 'n' || i FROM n`,
        MAX_NAMESPACES - 1,
      ),
    }));
  });
  afterEach(() => {
    database[Symbol.dispose]();
    rmSync(directory, { recursive: true });
  });

  it("gets no more of them, uses its existing ones, and still gets idempotency records of its deletions", async () => {
    const namespaces = new NamespaceIds(database);
    const take = (tenant: string, namespace: string): Promise<number> =>
      database.write(() => ({ result: namespaces.findOrCreate({ tenant, namespace }) }));
    const last = await take("t", "last");
    await expect(take("t", "more")).rejects.toMatchObject({ reason: "TOO_MANY_NAMESPACES" });
    expect(await take("t", "last")).toBe(last);
    expect(await take("other", "more")).toBeGreaterThan(last);
    await expect(database.write(() => ({ result: namespaces.recordsOf("t") }))).resolves.toBeGreaterThan(
      last,
    );
    await expect(take("t", "more")).rejects.toMatchObject({ reason: "TOO_MANY_NAMESPACES" });
  });
});
