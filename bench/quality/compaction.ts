/**
 * Measures which memories compaction merges and supersedes: `make bench-compaction DATA=<file>`. docs/compaction.md has the
 * figures.
 *
 * Compacts each group of memory-groups.tsv (or of another file of this form) as a namespace of its own, with the code of the
 * service, for `local` and for the provider at EMBEDDING_API_BASE (EMBEDDING_MODEL, VECTOR_DIM). Prints precision, recall and
 * why pairs were kept, of the odd groups (by which rules were tuned) and the even ones. ARGS=--wrong also prints each pair that
 * was decided wrongly, ARGS="--wrong --part tuning" those of one part. Exits with 1 when a target is missed.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { openLocalEmbedder } from "../../src/adapters/local/embedder.ts";
import { print } from "../../src/cli/output.ts";
import { COMPACTION_LEVELS } from "../../src/domain/compaction/run.ts";
import { duplicateThresholds } from "../../src/domain/compaction/thresholds.ts";
import { LOCAL_MODEL } from "../../src/domain/embedding/built-in-models.ts";
import {
  type CompactionFigures,
  embedGroups,
  figuresOf,
  outcomesOf,
  type PairOutcome,
} from "./compaction-figures.ts";
import { readMemoryGroups } from "./memory-groups.ts";
import type { Embed } from "./nearest-intent.ts";
import { openProvider } from "./provider.ts";

/** Wrong merges a look-alike pair, and the shares of duplicates merged and of updates superseded, at moderate. */
const TARGETS = { wrong: 5 / 326, merged: 0.3, superseded: 0.5 };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { wrong: { type: "boolean", default: false }, part: { type: "string" } },
});

const groups = readMemoryGroups(positionals[0]);
const isOdd = (id: string): boolean => Number.parseInt(id, 10) % 2 === 1;
const failures: string[] = [];
for (const { name, embed, model } of await openSubjects()) {
  const vectors = await embedGroups(embed, groups);
  for (const level of COMPACTION_LEVELS.slice(0, 2)) {
    const outcomes = outcomesOf(groups, vectors, level, duplicateThresholds({ model }));
    for (const part of ["tuning", "measured"]) {
      const own = outcomes.filter(({ group }) => isOdd(group.id) === (part === "tuning"));
      show(`${name}, ${level.toLowerCase()}, ${part}`, own);
      if (values.wrong && (values.part ?? part) === part) showWrong(own);
    }
    if (level === "MODERATE") showCauses(outcomes);
    check(`${name}, ${level.toLowerCase()}`, level, figuresOf(outcomes));
  }
}
for (const failure of failures) print(`FAILED: ${failure}`);
process.exitCode = failures.length === 0 ? 0 : 1;

interface Subject {
  readonly name: string;
  readonly embed: Embed;
  /** The name of the model, for its thresholds. */
  readonly model: string;
}

async function openSubjects(): Promise<Subject[]> {
  const local = await openLocalEmbedder();
  const { signal } = new AbortController();
  const subjects: Subject[] = [
    {
      name: "local",
      embed: async (texts: readonly string[]) =>
        (await local.embed([...texts], signal)).map(({ vector }) => vector),
      model: LOCAL_MODEL.model,
    },
  ];
  const provider = openProvider(process.env);
  if (provider !== undefined)
    subjects.push({
      name: provider.name,
      embed: (texts) => provider.embed([...texts]),
      model: provider.name,
    });
  return subjects;
}

function show(title: string, outcomes: readonly PairOutcome[]): void {
  const figures = figuresOf(outcomes);
  const { pairs, merged, wrongMerges, wrongSupersessions, superseded, updatesMerged, duplicatesSuperseded } =
    figures;
  const precision = merged / Math.max(1, merged + wrongMerges + updatesMerged);
  print(
    `\n== ${title}: ${merged} of ${pairs.merge} duplicates merged (recall ${percent(merged, pairs.merge)}, precision ${(100 * precision).toFixed(1)} %)`,
  );
  print(
    `   ${superseded} of ${pairs.supersede} updates superseded (${percent(superseded, pairs.supersede)}), ${updatesMerged} merged`,
  );
  print(
    `   of ${pairs.keep} look-alikes ${wrongMerges} merged and ${wrongSupersessions} superseded wrongly; ${duplicatesSuperseded} duplicates superseded`,
  );
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;
}

/** Why pairs stay that should not, and what keeps look-alikes apart. */
function showCauses(outcomes: readonly PairOutcome[]): void {
  for (const label of ["merge", "supersede", "keep"] as const) {
    const kept = outcomes.filter((pair) => pair.label === label && pair.outcome === "keep");
    const causes = Map.groupBy(
      kept.flatMap(({ reasons }) => reasons),
      (reason) => reason,
    );
    const sorted = [...causes].sort(([, a], [, b]) => b.length - a.length);
    print(
      `   ${label}, kept ${kept.length}: ${sorted.map(([reason, { length }]) => `${reason} ${length}`).join(", ")}`,
    );
  }
  const wrong = Map.groupBy(
    outcomes.filter(({ label, outcome }) => label !== outcome),
    ({ group }) => group.kind,
  );
  print(
    `   not as labelled, by kind: ${[...wrong].map(([kind, { length }]) => `${kind} ${length}`).join(", ")}`,
  );
}

function showWrong(outcomes: readonly PairOutcome[]): void {
  for (const { label, outcome, first, second, similarity, reasons, group } of outcomes) {
    if (label === outcome) continue;
    print(
      `   ${group.id} ${group.kind}: ${label}, was ${outcome} ${similarity.toFixed(2)} ${reasons.join(" ")}: ${first.text} | ${second.text}`,
    );
  }
}

function check(title: string, level: string, figures: CompactionFigures): void {
  const { pairs, merged, wrongMerges, updatesMerged, superseded, wrongSupersessions } = figures;
  const wrong = wrongMerges + updatesMerged;
  if (level === "LIGHT") {
    if (wrong > 0) failures.push(`${title}: ${wrong} wrong merges`);
    return;
  }
  if (wrong + wrongSupersessions > TARGETS.wrong * pairs.keep)
    failures.push(`${title}: ${wrong} wrong merges and ${wrongSupersessions} supersessions of ${pairs.keep}`);
  if (merged < TARGETS.merged * pairs.merge) failures.push(`${title}: ${merged} of ${pairs.merge} merged`);
  if (superseded < TARGETS.superseded * pairs.supersede)
    failures.push(`${title}: ${superseded} of ${pairs.supersede} updates superseded`);
}
