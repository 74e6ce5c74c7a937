import { readFileSync } from "node:fs";

const DOCUMENT = new URL("../../../docs/operations/redis-topologies.md", import.meta.url);

/**
 * The rules of users as the documentation gives them, for keys and indexes that begin with `name` instead of those of the
 * defaults. A user with all permissions exists too.
 */
export function documentedAcl(name: string): readonly string[] {
  const lines = readFileSync(DOCUMENT, "utf8").split("\n");
  const users = lines.filter((line) => line.startsWith("user recollect"));
  const own = users.map((line) =>
    line.replace("~memory:*", `~${name}*`).replace("~idx:memory*", `~${name}*`),
  );
  return ["user default on nopass ~* &* +@all", ...own];
}

/** As the documentation calls them, with the passwords that it gives for an example. */
export const USERS = {
  server: { username: "recollect", password: "a-long-secret" },
  setUp: { username: "recollect-setup", password: "another-long-secret" },
} as const;
