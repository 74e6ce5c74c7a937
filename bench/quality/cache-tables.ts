import type { Level } from "./cache-decision.ts";
import { LEVELS } from "./cache-decision.ts";
import {
  type GroupServed,
  type PairFigures,
  type PairsServed,
  type Refusals,
  type Served,
  TRAP_BUDGETS,
  type TrafficFigures,
  type TrafficServed,
} from "./cache-figures.ts";
import type { PairLabel } from "./cache-pairs.ts";
import { percent } from "./retrieval.ts";

/** The figures of one embedder. */
export interface SubjectFigures {
  readonly name: string;
  readonly pairs: PairFigures;
  readonly traffic: readonly TrafficFigures[];
}

const LEVEL_NAMES: Readonly<Record<Level, string>> = {
  cosine: "similarity alone",
  off: "`off`",
  closed: "`closed`",
  balanced: "`balanced`",
  strict: "`strict`",
};
/** z of a two-sided 95 % interval of the normal distribution. */
const Z = 1.959964;

/** One row for each embedder and level, at the default threshold of its model. */
export function overviewTable(subjects: readonly SubjectFigures[]): string {
  const names = [...new Set(subjects.flatMap(({ traffic }) => traffic.map(({ name }) => name)))];
  const head = ["embedder, threshold", "strictness", "safe pairs served", "traps served"];
  const rows = subjects.flatMap((subject) => {
    const { name, pairs, traffic } = subject;
    const title = `${name}, ${pairs.threshold.toFixed(2)}`;
    return LEVELS.map((level, index) => {
      const { safe, traps } = at(pairs.sweep, level, pairs.threshold);
      const cells = names.map((one) => trafficCell(traffic, one, level, pairs.threshold));
      return [
        index === 0 ? title : "",
        LEVEL_NAMES[level],
        withInterval(safe),
        withInterval(traps),
        ...cells,
      ];
    });
  });
  return table([...head, ...names.map((name) => `${name}: ${trafficHead(subjects, name)}`)], rows);
}

/** Safe pairs and traps served, in hundredths, by threshold and level. */
export function thresholdTable({ pairs }: SubjectFigures): string {
  const rows = thresholdsOf(pairs.sweep).map((threshold) => [
    thresholdCell(threshold, pairs.threshold),
    ...LEVELS.map((level) => {
      const { safe, traps } = at(pairs.sweep, level, threshold);
      return `${share(safe)} / ${share(traps)}`;
    }),
  ]);
  return table(["threshold", ...LEVELS.map((level) => LEVEL_NAMES[level])], rows);
}

/** The lowest threshold at which a level serves at most so many traps, and the safe pairs served there, in hundredths. */
export function budgetTable(subjects: readonly SubjectFigures[]): string {
  const rows = subjects.flatMap(({ name, pairs }) =>
    LEVELS.map((level, index) => [
      index === 0 ? name : "",
      LEVEL_NAMES[level],
      ...TRAP_BUDGETS.map((budget) => {
        const { found } = pairs.budgets.find((one) => one.level === level && one.budget === budget) ?? {};
        return found === undefined ? "none" : `${found.threshold.toFixed(2)}: ${share(found.safe)}`;
      }),
    ]),
  );
  const budgets = TRAP_BUDGETS.map((budget) => `traps ≤ ${(100 * budget).toFixed(0)} %`);
  return table(["embedder", "strictness", ...budgets], rows);
}

/** Hits and the share of wrong ones, in hundredths, by threshold and level. */
export function trafficTable(figures: TrafficFigures, defaultThreshold: number): string {
  const rows = thresholdsOf(figures.sweep).map((threshold) => [
    thresholdCell(threshold, defaultThreshold),
    ...LEVELS.map((level) => trafficRates(figures, at(figures.sweep, level, threshold))),
  ]);
  return table(["threshold", ...LEVELS.map((level) => LEVEL_NAMES[level])], rows);
}

/** Pairs served by kind (or by domain) at the default threshold, for each embedder and level. */
export function groupTable(
  subjects: readonly SubjectFigures[],
  groupsOf: (figures: PairFigures) => readonly GroupServed[],
  label: PairLabel,
): string {
  const levels = LEVELS.filter((level) => level !== "off");
  const head = subjects.flatMap(({ name }) => [
    `${name}: median similarity`,
    ...levels.map((level) => LEVEL_NAMES[level]),
  ]);
  const [first] = subjects;
  const groups = first === undefined ? [] : groupsOf(first.pairs).filter((group) => group.label === label);
  const rows = groups.map(({ name, total }) => [
    name,
    String(total),
    ...subjects.flatMap(({ pairs }) => {
      const group = groupsOf(pairs).find((one) => one.label === label && one.name === name);
      if (group === undefined) return [];
      return [group.medianSimilarity.toFixed(2), ...levels.map((level) => String(group.served[level]))];
    }),
  ]);
  return table([label === "safe" ? "safe" : "traps", "pairs", ...head], rows);
}

/** Why safe pairs are not served, at the default threshold and strictness. */
export function refusalTable(subjects: readonly SubjectFigures[]): string {
  const found = subjects.map(({ pairs }) => pairs.refusals.find(({ label }) => label === "safe"));
  const reasons = [...new Set(found.flatMap((one) => one?.reasons.map(({ reason }) => reason) ?? []))];
  const cell = (refusals: Refusals | undefined, reason: string): string => {
    const one = refusals?.reasons.find((other) => other.reason === reason);
    return one === undefined ? "-" : `${one.pairs} (${one.alone})`;
  };
  const rows = reasons.map((reason) => [reason, ...found.map((refusals) => cell(refusals, reason))]);
  const totals = ["pairs refused", ...found.map((refusals) => String(refusals?.refused ?? 0))];
  return table(
    ["reason", ...subjects.map(({ name }) => `${name}: pairs (with this reason alone)`)],
    [...rows, totals],
  );
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

export function at<Row extends PairsServed | TrafficServed>(
  sweep: readonly Row[],
  level: Level,
  threshold: number,
): Row {
  const row = sweep.find((one) => one.level === level && one.threshold === threshold);
  if (row === undefined) throw new RangeError(`not measured: ${level} at ${threshold}`);
  return row;
}

function thresholdsOf(sweep: readonly { readonly threshold: number }[]): number[] {
  return [...new Set(sweep.map(({ threshold }) => threshold))];
}

function thresholdCell(threshold: number, defaultThreshold: number): string {
  return threshold === defaultThreshold ? `**${threshold.toFixed(2)}**` : threshold.toFixed(2);
}

function trafficHead(subjects: readonly SubjectFigures[], name: string): string {
  const figures = subjects.flatMap(({ traffic }) => traffic).find((one) => one.name === name);
  return figures?.unanswerable ? "hits / wrong / out of scope served" : "hits / wrong";
}

function trafficCell(
  traffic: readonly TrafficFigures[],
  name: string,
  level: Level,
  threshold: number,
): string {
  const figures = traffic.find((one) => one.name === name);
  return figures === undefined ? "-" : trafficRates(figures, at(figures.sweep, level, threshold));
}

function trafficRates(figures: TrafficFigures, { hits, wrong, unanswerable }: TrafficServed): string {
  const rates = [percent(hits / figures.asked), percent(wrong / Math.max(1, hits))];
  if (figures.unanswerable > 0) rates.push(percent(unanswerable / figures.unanswerable));
  return rates.join(" / ");
}

function share({ served, total }: Served): string {
  return percent(served / total);
}

/** With Wilson's 95 % interval. */
function withInterval({ served, total }: Served): string {
  const p = served / total;
  const scale = 1 + Z ** 2 / total;
  const middle = (p + Z ** 2 / (2 * total)) / scale;
  const half = (Z / scale) * Math.sqrt((p * (1 - p)) / total + Z ** 2 / (4 * total ** 2));
  return `${percent(p)} (${percent(Math.max(0, middle - half))} - ${percent(middle + half)})`;
}
