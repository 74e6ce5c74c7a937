/**
 * Measures which prompts the cache serves: `make bench-cache DATA=<folder> ARGS=--service`. docs/cache.md has the figures.
 *
 * Decides on the pairs of cache-pairs.tsv, and on the data sets that the folder has (banking77_train.csv and
 * banking77_test.csv, clinc150_full.json, mock_data.json of GPTCache), with the code of the service, for `local` and for
 * the provider at EMBEDDING_API_BASE (EMBEDDING_MODEL, VECTOR_DIM). With --service the pairs also go through the API of a
 * server, and each decision must be the same. Writes bench/results/cache; with --docs also the figures and the plot
 * of docs/cache.md. Exits with 1 when a target is missed.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { openLocalEmbedder } from "../../src/adapters/local/embedder.ts";
import { print, printError } from "../../src/cli/output.ts";
import { defaultThreshold } from "../../src/domain/cache/default-thresholds.ts";
import {
  DEFAULT_STRICTNESS,
  GUARD_STRICTNESS,
  type GuardStrictness,
} from "../../src/domain/cache/guard-strictness.ts";
import { LOCAL_MODEL } from "../../src/domain/embedding/built-in-models.ts";
import { loadNow, machineLine } from "../records.ts";
import { decide } from "./cache-decision.ts";
import {
  type ComparedPair,
  comparePairs,
  pairFigures,
  type TrafficFigures,
  trafficFigures,
} from "./cache-figures.ts";
import { readPromptPairs } from "./cache-pairs.ts";
import { type Panel, plotServed } from "./cache-plot.ts";
import { type CacheReport, type ServiceCheck, updateFigures, writeCacheReport } from "./cache-report.ts";
import { pairsThroughTheService } from "./cache-service.ts";
import type { SubjectFigures } from "./cache-tables.ts";
import { cacheTargets, MISSED } from "./cache-targets.ts";
import { timeGuard } from "./cache-timing.ts";
import { readTraffic } from "./cache-traffic.ts";
import type { Embed } from "./nearest-intent.ts";
import { openProvider } from "./provider.ts";

const ROOT = join(import.meta.dirname, "..", "..");

interface Subject {
  readonly name: string;
  readonly embed: Embed;
  /** The default threshold of the model. */
  readonly threshold: number;
  /** Settings of the service. */
  readonly settings: Readonly<Record<string, string>>;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    service: { type: "boolean", default: false },
    docs: { type: "boolean", default: false },
    results: { type: "string", default: join(ROOT, "bench", "results") },
  },
});

const pairs = readPromptPairs();
const loadBefore = loadNow();
const timing = timeGuard(pairs);
const traffic = await readTraffic(positionals[0]);
const subjects: SubjectFigures[] = [];
const panels: Panel[] = [];
const service: ServiceCheck[] = [];
for (const subject of await openSubjects()) {
  const { name, embed, threshold } = subject;
  print(`${name}: ${pairs.length} pairs`);
  const compared = await comparePairs(embed, pairs);
  const found: TrafficFigures[] = [];
  for (const one of traffic) {
    print(`${name}: ${one.name}, ${one.asked.length} questions, ${one.stored.length} stored`);
    found.push(await trafficFigures(embed, one, threshold));
  }
  subjects.push({ name, pairs: pairFigures(compared, threshold), traffic: found });
  panels.push({ title: name, compared, threshold });
  if (!values.service) continue;
  print(`${name}: through the service`);
  for (const strictness of GUARD_STRICTNESS) service.push(await checkService(subject, compared, strictness));
}
const report: CacheReport = {
  date: new Date().toISOString().slice(0, "YYYY-MM-DD".length),
  command: ["make bench-cache", ...shownOptions()].join(" "),
  machine: machineLine(),
  loadBefore,
  defaultStrictness: DEFAULT_STRICTNESS,
  timing,
  subjects,
  service,
  targets: cacheTargets(subjects, timing, service),
};
const path = writeCacheReport(values.results, report);
if (values.docs) {
  updateFigures(join(ROOT, "docs", "cache.md"), report);
  writeFileSync(join(ROOT, "docs", "cache-served.svg"), plotServed(panels));
}
for (const line of report.targets) print(line);
for (const { different } of service) for (const line of different) printError(`decided otherwise: ${line}`);
print(`written: ${path}.md and .json${values.docs ? ", docs/cache.md, docs/cache-served.svg" : ""}`);
process.exitCode = report.targets.some((line) => line.endsWith(MISSED)) ? 1 : 0;

async function openSubjects(): Promise<Subject[]> {
  const local = await openLocalEmbedder();
  const { signal } = new AbortController();
  const found: Subject[] = [
    {
      name: "local",
      embed: async (texts) => (await local.embed(texts, signal)).map(({ vector }) => vector),
      threshold: defaultThreshold(LOCAL_MODEL),
      settings: { EMBEDDING_PROVIDER: "local" },
    },
  ];
  const provider = openProvider(process.env);
  if (provider !== undefined)
    found.push({ ...provider, threshold: defaultThreshold({ model: provider.name }) });
  return found;
}

/** Repeats the decisions in a server with this strictness. */
async function checkService(
  { name, threshold, settings }: Subject,
  compared: readonly ComparedPair[],
  strictness: GuardStrictness,
): Promise<ServiceCheck> {
  const outcomes = await pairsThroughTheService(pairs, { ...settings, CACHE_GUARD: strictness });
  const different = compared.flatMap(({ pair, comparison }, index) => {
    const decision = decide(comparison, threshold, strictness);
    const expected = decision.kind === "hit" ? "HIT" : decision.reason;
    const { outcome = "", similarity } = outcomes[index] ?? {};
    return outcome === expected
      ? []
      : [
          `${name}, ${strictness}: ${pair.stored} | ${pair.asked}: ${outcome} (${similarity}), not ${expected}`,
        ];
  });
  const hits = outcomes.filter(({ isHit }) => isHit).length;
  return { subject: name, strictness, pairs: pairs.length, hits, different };
}

/** Without the path of the folder. */
function shownOptions(): string[] {
  const flags = [...(values.service ? ["--service"] : []), ...(values.docs ? ["--docs"] : [])];
  return [
    ...(positionals.length === 0 ? [] : ["DATA=<folder>"]),
    ...(flags.length === 0 ? [] : [flags.length === 1 ? `ARGS=${flags[0]}` : `ARGS="${flags.join(" ")}"`]),
  ];
}
