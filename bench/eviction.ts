/**
 * Compares the eviction policies of the cache: `node bench/eviction.ts`. Replays one trace over the policies alone and over
 * the embedded store, prints the hit rate and the share of the cost saved, and writes bench/results/eviction.
 * `--store adaptive,lru` names the policies that are replayed over the store (minutes each), `--store ""` none. Exits with
 * 1 when adaptive saves less than 4 points more than lru.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import type { EvictionPolicy } from "../src/domain/cache/eviction.ts";
import type { Outcome } from "./eviction/outcome.ts";
import { simulate } from "./eviction/simulation.ts";
import { replay } from "./eviction/store.ts";
import { TRACE, type TraceOptions, traceOf } from "./eviction/trace.ts";
import { aboutRun } from "./records.ts";

const POLICIES: readonly EvictionPolicy[] = ["ADAPTIVE", "LRU", "LFU", "FIFO", "TTL"];
/** Room for 10 % of the prompts. */
const SHARE = 0.1;
const TARGET_POINTS = 4;

const { values } = parseArgs({
  options: {
    store: { type: "string", default: POLICIES.join(",").toLowerCase() },
    results: { type: "string", default: join(import.meta.dirname, "results") },
  },
});

const about = aboutRun("node bench/eviction.ts", "");

interface Row {
  readonly policy: EvictionPolicy;
  readonly over: "policy alone" | "embedded store";
  readonly trace: string;
  readonly outcome: Outcome;
}

const variants: readonly (readonly [string, TraceOptions])[] = [
  ["10 % of ranks drift", TRACE],
  ["no drift", { ...TRACE, drift: 0 }],
  ["10 % drift, costs more equal (sigma 0.5)", { ...TRACE, sigma: 0.5 }],
];
const rows: Row[] = [];
for (const [name, options] of variants) {
  const trace = traceOf(options);
  const maxEntries = SHARE * options.keys;
  for (const policy of POLICIES) {
    rows.push({ policy, over: "policy alone", trace: name, outcome: simulate(trace, policy, maxEntries) });
  }
  if (options !== TRACE) continue;
  for (const policy of POLICIES) {
    if (!values.store.toUpperCase().split(",").includes(policy)) continue;
    rows.push({
      policy,
      over: "embedded store",
      trace: name,
      outcome: await replay(trace, policy, maxEntries),
    });
  }
}

const table = [
  "| trace | over | policy | hit rate | cost saved | not admitted | evicted |",
  "|---|---|---|---|---|---|---|",
  ...rows.map(({ policy, over, trace, outcome }) => {
    const { hitPercent, savedPercent, refused, evicted } = outcome;
    const cells = [`${hitPercent.toFixed(1)} %`, `${savedPercent.toFixed(1)} %`, refused, evicted];
    return `| ${[trace, over, policy.toLowerCase(), ...cells].join(" | ")} |`;
  }),
];
const lines = ["policy alone", "embedded store"].flatMap((over) => {
  const saved = (policy: EvictionPolicy): number | undefined =>
    rows.find((row) => row.trace === variants[0]?.[0] && row.over === over && row.policy === policy)?.outcome
      .savedPercent;
  const [adaptive, lru] = [saved("ADAPTIVE"), saved("LRU")];
  if (adaptive === undefined || lru === undefined) return [];
  const points = adaptive - lru;
  return [{ over, points, isMet: points >= TARGET_POINTS }];
});
const targets = lines.map(
  ({ over, points, isMet }) =>
    `${isMet ? "met" : "NOT met"}: over ${over}, adaptive saves ${points.toFixed(1)} points more of the cost than lru (at least ${TARGET_POINTS})`,
);
const path = join(values.results, "eviction");
mkdirSync(values.results, { recursive: true });
writeFileSync(
  `${path}.json`,
  `${JSON.stringify(
    {
      ...about,
      trace: TRACE,
      maxEntries: SHARE * TRACE.keys,
      rows: rows.map(({ outcome, ...row }) => {
        const { hitPercent, savedPercent } = outcome;
        return { ...row, ...outcome, hitPercent, savedPercent };
      }),
    },
    (_, value: unknown) => (typeof value === "number" ? Math.round(value * 1000) / 1000 : value),
    2,
  )}\n`,
);
writeFileSync(
  `${path}.md`,
  [
    "# Eviction policies",
    "",
    `${about.date}; ${about.machine}; load average before ${about.loadBefore.toFixed(2)}; \`${about.command}\`.`,
    "",
    `${TRACE.lookups.toLocaleString("en")} lookups of ${TRACE.keys.toLocaleString("en")} prompts by Zipf ${TRACE.zipf}, room for ${100 * SHARE} %, a log-normal cost (median 0.01 dollars, sigma ${TRACE.sigma}); after each ${TRACE.driftEvery.toLocaleString("en")} lookups the ranks of 10 % of the prompts are shuffled. Each miss is stored. The rates are of all lookups, from the empty cache on.`,
    "",
    ...table,
    "",
    ...targets.map((line) => `- ${line}`),
    "",
  ].join("\n"),
);
process.stdout.write(`${[...table, "", ...targets, path].join("\n")}\n`);
if (lines.some(({ isMet }) => !isMet)) process.exitCode = 1;
