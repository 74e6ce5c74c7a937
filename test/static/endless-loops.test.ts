// Loops that depend on external state (Redis, another process, a changing model) must be bounded: otherwise they can
// block their caller forever. So each loop in src has a condition in its head; the exceptions are listed here, each with
// its end.

import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";

const SRC = join(import.meta.dirname, "..", "..", "src");

/** `for (;;)`, `for (let at = 0; ; at += 1)`, `while (true)`: loops without a condition. */
const ENDLESS = /\bfor \([^;()]*(?:\([^()]*\)[^;()]*)*;\s*;|\bwhile \((?:true|1)\)/;

/** The end of the loop, by file. */
const ENDED_BY: Readonly<Record<string, string>> = {
  "adapters/decorators/retrying-embedder.ts":
    "retryDelay, which knows no delay after the last retry, and the signal",
  "adapters/openai/embedder.ts": "parameters that are left to be given up, of which each round gives up one",
  "adapters/embedded/vectors/vector-table.ts":
    "a count that doubles up to the number of rows; waits for nothing",
  "adapters/redis/connection/cluster-servers.ts": "MAX_REDIRECTIONS",
  "adapters/redis/memory/search.ts": "MAX_ROUNDS",
  "services/update-current.ts": "MAX_ATTEMPTS",
  "domain/cache/notation-chunks.ts": "the end of the text, which each round comes nearer to",
  "domain/compaction/plan.ts": "the steps of a plan, which end with it",
  "domain/compaction/summary.ts":
    "a sentence that each round takes, until none is left that adds anything or fits",
  "domain/load/fair-queue.ts": "an empty queue: each round takes an entry from it",
  "services/memory/create-memories.ts":
    "the last memory of the batch, which each step comes nearer to, and the signal",
  "transport/bounds/json-cursor.ts": "the end of the bytes",
  "transport/grpc/request-stream.ts":
    "the signal of the call, the end of its messages, or the time to the next one",
  "transport/http/checked-request.ts": "the end of the bytes that have come",
  "transport/http/received-body.ts": "the end of the body, or its refusal",
};

it("finds loops without a condition", () => {
  const endless = [
    "for (;;) {",
    "for (let at = 0; ; at += 1) {",
    "for (let at = f(1); ; ) {",
    "while (true) {",
  ];
  for (const loop of endless) expect(loop).toMatch(ENDLESS);
  const others = ["for (let at = 0; at < 3; at += 1) {", "for (const a of b) {", "while (left > 0) {"];
  for (const loop of others) expect(loop).not.toMatch(ENDLESS);
});

it("each loop in src has a condition or a documented end", async () => {
  const found: string[] = [];
  for await (const file of glob("**/*.ts", { cwd: SRC })) {
    if (file.endsWith(".test.ts")) continue;
    if (ENDLESS.test(await readFile(join(SRC, file), "utf8"))) found.push(file);
  }
  expect(found.toSorted()).toEqual(Object.keys(ENDED_BY).toSorted());
});
