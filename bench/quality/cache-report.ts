import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  budgetTable,
  groupTable,
  overviewTable,
  refusalTable,
  type SubjectFigures,
  thresholdTable,
  trafficTable,
} from "./cache-tables.ts";
import type { Timing } from "./cache-timing.ts";

/** The comparison of the service with the decision code, for one strictness. */
export interface ServiceCheck {
  readonly subject: string;
  readonly strictness: string;
  readonly pairs: number;
  readonly hits: number;
  /** Pairs on which the service decided otherwise. */
  readonly different: readonly string[];
}

export interface CacheReport {
  /** YYYY-MM-DD */
  readonly date: string;
  readonly command: string;
  readonly machine: string;
  readonly loadBefore: number;
  readonly defaultStrictness: string;
  readonly timing: { readonly analysis: Timing; readonly comparison: Timing };
  readonly subjects: readonly SubjectFigures[];
  readonly service: readonly ServiceCheck[];
  readonly targets: readonly string[];
}

/** The lines of a document between which figures are written. */
const BEGIN = "<!-- figures of make bench-cache: begin -->";
const END = "<!-- figures of make bench-cache: end -->";

/** Writes `cache.md` and `cache.json` and returns the path without its extension. */
export function writeCacheReport(directory: string, report: CacheReport): string {
  const path = join(directory, "cache");
  mkdirSync(directory, { recursive: true });
  writeFileSync(`${path}.json`, `${JSON.stringify(report, rounded, 1)}\n`);
  const parts = [
    `# ${report.date} cache`,
    runLines(report),
    "## Targets",
    report.targets.length === 0 ? "None apply." : report.targets.map((line) => `- ${line}`).join("\n"),
    ...figureParts(report, 2),
    ...report.subjects.flatMap(({ name, pairs, traffic }) =>
      traffic.flatMap((one) => [
        `## ${one.name}, ${name}: ${trafficLegend(one)}, by threshold`,
        trafficTable(one, pairs.threshold),
      ]),
    ),
    "## By domain",
    groupTable(report.subjects, ({ domains }) => domains, "safe"),
    groupTable(report.subjects, ({ domains }) => domains, "trap"),
    "docs/cache.md says how to read this.",
  ];
  writeFileSync(`${path}.md`, `${parts.join("\n\n")}\n`);
  return path;
}

/** Replaces the figures of a document. */
export function updateFigures(path: string, report: CacheReport): void {
  const text = readFileSync(path, "utf8");
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`${path} has no place for figures: ${BEGIN}`);
  const figures = [runLines(report), ...figureParts(report, 3)].join("\n\n");
  writeFileSync(path, `${text.slice(0, begin + BEGIN.length)}\n${figures}\n${text.slice(end)}`);
}

function runLines(report: CacheReport): string {
  const { date, machine, loadBefore, command, timing, service } = report;
  const micros = ({ median, p99 }: Timing): string =>
    `${(1000 * median).toFixed(0)} µs median, ${(1000 * p99).toFixed(0)} µs p99`;
  const checks = service.map(
    ({ subject, strictness, pairs, hits, different }) =>
      `- Through the service, ${subject}, \`${strictness}\`: ${hits} hits of ${pairs} pairs, ${different.length} decided otherwise than below`,
  );
  return [
    `- ${date}, ${machine}; load average before ${loadBefore.toFixed(2)}`,
    `- Command: \`${command}\``,
    `- Analysis of a prompt: ${micros(timing.analysis)}. Comparison of two: ${micros(timing.comparison)}`,
    ...checks,
  ].join("\n");
}

/** `depth`: of the headings. */
function figureParts({ subjects, defaultStrictness }: CacheReport, depth: number): string[] {
  const heading = "#".repeat(depth);
  return [
    `${heading} At the defaults`,
    "In hundredths; 95 % intervals in brackets; wrong ones are shares of the hits.",
    overviewTable(subjects),
    `${heading} By what is accepted`,
    "The lowest threshold at which at most so many of the traps are served, and the share of safe pairs served there, in hundredths.",
    budgetTable(subjects),
    `${heading} By kind`,
    "Pairs served at the default threshold.",
    groupTable(subjects, ({ kinds }) => kinds, "safe"),
    groupTable(subjects, ({ kinds }) => kinds, "trap"),
    ...subjects.flatMap((subject) => [
      `${heading} By threshold, ${subject.name}`,
      "Safe pairs served / traps served, in hundredths; the default is bold.",
      thresholdTable(subject),
    ]),
    `${heading} Why safe pairs are refused`,
    `At \`${defaultStrictness}\` and the default threshold. A pair may have several reasons.`,
    refusalTable(subjects),
  ];
}

function trafficLegend({ unanswerable }: { readonly unanswerable: number }): string {
  return unanswerable > 0 ? "hits / wrong / out of scope served" : "hits / wrong";
}

function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
}
