/**
 * Measures the retrieval quality of embedders: `make bench-embedding DATA=<folder>`. The folder contains
 * banking77_train.csv, banking77_test.csv, clinc150_full.json and locomo10.json; missing files are skipped.
 *
 * Measures `local`, and for comparison the provider at EMBEDDING_API_BASE (EMBEDDING_MODEL, VECTOR_DIM). LoCoMo uses the
 * service with its defaults: messages are stored with their speakers, and questions are searched. Exits with 1 when
 * `local` misses a target.
 */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { openLocalEmbedder } from "../../src/adapters/local/embedder.ts";
import { print, printError } from "../../src/cli/output.ts";
import { type IntentData, readBanking77, readClinc150, readLocomo } from "./data.ts";
import { locomoThroughTheService } from "./locomo.ts";
import { type Embed, nearestIntents } from "./nearest-intent.ts";
import { openProvider } from "./provider.ts";
import { percent, type RetrievalFigures } from "./retrieval.ts";
import { sweepThresholds } from "./thresholds.ts";

/** Minimum targets of `local`, in hundredths. */
const TARGETS = { BANKING77: 86.5, CLINC150: 86, recall10: 65.5, ndcg10: 49.5, reciprocalRank: 47 };
/** Maximum difference to the provider on LoCoMo, in hundredths. */
const MAX_BEHIND_PROVIDER = 0.5;

interface Subject {
  readonly name: string;
  readonly embed: Embed;
  /** Environment variables of the service. */
  readonly settings: Readonly<Record<string, string>>;
}

const failures: string[] = [];

async function main(folder: string): Promise<void> {
  const subjects = await openSubjects();
  const intents: IntentData[] = [];
  if (existsSync(join(folder, "banking77_test.csv"))) intents.push(await readBanking77(folder));
  if (existsSync(join(folder, "clinc150_full.json"))) intents.push(await readClinc150(folder));
  for (const data of intents) await measureIntents(data, subjects);
  if (existsSync(join(folder, "locomo10.json"))) await measureLocomo(folder, subjects);
  for (const failure of failures) printError(`FAILED: ${failure}`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}

async function openSubjects(): Promise<Subject[]> {
  const local = await openLocalEmbedder();
  const signal = new AbortController().signal;
  const subjects: Subject[] = [
    {
      name: "local",
      embed: async (texts) => (await local.embed(texts, signal)).map(({ vector }) => vector),
      settings: { EMBEDDING_PROVIDER: "local" },
    },
  ];
  const provider = openProvider(process.env);
  if (provider !== undefined) subjects.push(provider);
  return subjects;
}

async function measureIntents(data: IntentData, subjects: readonly Subject[]): Promise<void> {
  print(`\n== ${data.name}: ${data.test.length} test texts, ${data.training.length} training texts`);
  for (const { name, embed } of subjects) {
    const nearest = await nearestIntents(embed, data);
    const accuracy = nearest.filter(({ isRight }) => isRight).length / nearest.length;
    print(`${name}: nearest neighbour has the intent ${percent(accuracy)} %`);
    for (const { threshold, served, wrong } of sweepThresholds(nearest)) {
      print(
        `  threshold ${threshold.toFixed(2)}: ${percent(served)} % served, ${percent(wrong)} % of those wrong`,
      );
    }
    if (name === "local") hold(data.name, 100 * accuracy, TARGETS[data.name as keyof typeof TARGETS]);
  }
}

async function measureLocomo(folder: string, subjects: readonly Subject[]): Promise<void> {
  const conversations = await readLocomo(folder);
  print("\n== LoCoMo through the service, HYBRID, defaults");
  const figures = new Map<string, RetrievalFigures>();
  for (const { name, settings } of subjects) {
    const data = await mkdtemp(join(tmpdir(), "recollect-locomo-"));
    try {
      const found = await locomoThroughTheService(conversations, { ...settings, DATA_DIR: data });
      figures.set(name, found);
      const { recall10, recall20, ndcg10, reciprocalRank } = found;
      print(
        `${name}: recall@10 ${percent(recall10)}, recall@20 ${percent(recall20)}, nDCG@10 ${percent(ndcg10)}, MRR ${percent(reciprocalRank)}`,
      );
    } finally {
      await rm(data, { recursive: true, force: true });
    }
  }
  const { local, ...others } = Object.fromEntries(figures);
  if (local === undefined) return;
  for (const key of ["recall10", "ndcg10", "reciprocalRank"] as const) {
    hold(`LoCoMo ${key}`, 100 * local[key], TARGETS[key]);
    for (const [name, other] of Object.entries(others)) {
      hold(`LoCoMo ${key} beside ${name}`, 100 * local[key], 100 * other[key] - MAX_BEHIND_PROVIDER);
    }
  }
}

function hold(what: string, value: number, least: number): void {
  if (value < least)
    failures.push(`${what}: ${value.toFixed(2)}, and it must be ${least.toFixed(2)} at least`);
}

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  printError("usage: make bench-embedding DATA=<folder with BANKING77, CLINC150, LoCoMo>");
  process.exitCode = 2;
} else {
  await main(folder);
}
