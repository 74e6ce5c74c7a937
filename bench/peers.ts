/**
 * Measures the service beside the libraries that a user would pick instead (RedisVL's SemanticCache, mem0) on one
 * Redis, and writes bench/results/peers-<case>. docs/benchmarks.md says how to read it.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { BATCHES_IN_A_RUN, STORED_IN_A_RUN } from "./peers/cases.ts";
import { DIMENSION } from "./peers/data.ts";
import { measurePeers } from "./peers/measure.ts";
import { peerRecord } from "./peers/report.ts";
import { aboutRun, writeRecords } from "./records.ts";

const DIST = join(import.meta.dirname, "..", "dist");
const NORMAL = { filled: 5000, rounds: 5, seconds: 1.5, warmSeconds: 4 };
const QUICK = { filled: 500, rounds: 1, seconds: 0.5, warmSeconds: 0.5 };

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    case: { type: "string", multiple: true },
    rounds: { type: "string" },
    entries: { type: "string" },
    dist: { type: "string", default: DIST },
    note: { type: "string", default: "" },
    "redis-url": { type: "string" },
    results: { type: "string", default: join(import.meta.dirname, "results") },
  },
});
const dist = resolve(values.dist);
if (!existsSync(join(dist, "main.js"))) fail("not built: run 'make build' first");
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  process.once(signal, () => process.exit(code));

const base = values.quick ? QUICK : NORMAL;
const rounds = Number(values.rounds ?? base.rounds);
const filled = Number(values.entries ?? base.filled);
const runs = rounds + 1;
const callsOf = (loads: readonly { readonly calls: number }[]): number =>
  runs * loads.reduce((sum, { calls }) => sum + calls, 0);
const command = [
  "node bench/peers.ts",
  ...(values.quick ? ["--quick"] : []),
  ...(values.entries === undefined ? [] : [`--entries ${values.entries}`]),
  ...(values.case ?? []).map((name) => `--case "${name}"`),
  ...(values.rounds === undefined ? [] : [`--rounds ${values.rounds}`]),
  ...(dist === DIST ? [] : ["--dist <another build>"]),
].join(" ");
const about = aboutRun(command, values.note);
try {
  const results = await measurePeers({
    dist,
    redisUrl: values["redis-url"],
    amounts: {
      filled,
      storedAnswers: callsOf(STORED_IN_A_RUN),
      createdMemories: callsOf(STORED_IN_A_RUN),
      createdBatches: callsOf(BATCHES_IN_A_RUN),
    },
    rounds,
    seconds: base.seconds,
    warmSeconds: base.warmSeconds,
    only: values.case,
    say,
  });
  const setting = `${filled} memories and as many answers, ${DIMENSION} numbers`;
  const records = results.map((one) => peerRecord(one, { about, setting, rounds, seconds: base.seconds }));
  // A quick run shows that everything works; its figures are no record.
  const written = values.quick ? [] : writeRecords(values.results, records);
  for (const { targets, warnings } of records) for (const line of [...targets, ...warnings]) say(line);
  for (const path of written) say(`written: ${path}`);
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
