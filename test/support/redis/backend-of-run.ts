import { randomBytes } from "node:crypto";
import { afterAll, beforeEach } from "vitest";
import { serveFrom } from "../backend-of-run.ts";
import { removeAll } from "./backend.ts";
import { sharedRedisUrl } from "./run.ts";

// Run before each file of the project "on Redis" (vitest.config.ts): what startApp starts there keeps its data in Redis.

const url = await sharedRedisUrl();
if (url === "") {
  beforeEach(({ skip }) => skip("needs Redis Stack"));
} else {
  const name = `test-${randomBytes(8).toString("hex")}`;
  serveFrom(url, name);
  afterAll(() => removeAll(url, name));
}
