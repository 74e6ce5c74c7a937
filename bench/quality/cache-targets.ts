import { DEFAULT_STRICTNESS, type GuardStrictness } from "../../src/domain/cache/guard-strictness.ts";
import type { ServiceCheck } from "./cache-report.ts";
import { at, type SubjectFigures } from "./cache-tables.ts";
import type { Timing } from "./cache-timing.ts";
import { percent } from "./retrieval.ts";

export const MISSED = "NOT MET";

/** The model for which the targets on pairs and traffic hold; other embedders are reported. */
const REFERENCE = "all-minilm-l6-v2";
/** On the pairs, at the defaults, shares. */
const SAFE_SERVED = 0.52;
const TRAPS_SERVED = 0.03;
/** Hits on BANKING77 by strictness, and the share of wrong intents: no more than without a guard. */
const BANKING77_HITS: readonly (readonly [GuardStrictness, number])[] = [
  [DEFAULT_STRICTNESS, 0.4],
  ["closed", 0.6],
];
const BANKING77_WRONG = 0.043;
/** Traps served with any other embedder at its own threshold. */
const OTHER_TRAPS_SERVED = 0.05;
/** Medians, milliseconds. */
const ANALYSIS_MS = 0.1;
const COMPARISON_MS = 0.03;

/** One line for each target that can be checked, ending with "met" or {@link MISSED}. */
export function cacheTargets(
  subjects: readonly SubjectFigures[],
  timing: { readonly analysis: Timing; readonly comparison: Timing },
  service: readonly ServiceCheck[],
): string[] {
  const line = (what: string, value: string, isMet: boolean): string =>
    `${what}: ${value}, ${isMet ? "met" : MISSED}`;
  const millis = (what: string, { median }: Timing, most: number): string =>
    line(`${what} < ${most} ms`, `${median.toFixed(3)} ms`, median < most);
  return [
    ...subjects.flatMap((subject) => subjectTargets(subject, line)),
    millis("analysis, median", timing.analysis, ANALYSIS_MS),
    millis("comparison, median", timing.comparison, COMPARISON_MS),
    ...service.map(({ subject, strictness, different }) =>
      line(
        `${subject}, ${strictness}: the service decides alike`,
        `${different.length} differ`,
        different.length === 0,
      ),
    ),
  ];
}

function subjectTargets(
  { name, pairs, traffic }: SubjectFigures,
  line: (what: string, value: string, isMet: boolean) => string,
): string[] {
  const { safe, traps } = at(pairs.sweep, DEFAULT_STRICTNESS, pairs.threshold);
  const [safeShare, trapShare] = [safe.served / safe.total, traps.served / traps.total];
  const isReference = name.toLowerCase().endsWith(REFERENCE);
  const most = isReference ? TRAPS_SERVED : OTHER_TRAPS_SERVED;
  const found = [
    line(`${name}: traps served <= ${percent(most)} %`, `${percent(trapShare)} %`, trapShare <= most),
  ];
  if (!isReference) return found;
  found.unshift(
    line(
      `${name}: safe pairs served >= ${percent(SAFE_SERVED)} %`,
      `${percent(safeShare)} %`,
      safeShare >= SAFE_SERVED,
    ),
  );
  for (const figures of traffic.filter((one) => one.name === "BANKING77")) {
    for (const [strictness, least] of BANKING77_HITS) {
      const { hits, wrong } = at(figures.sweep, strictness, pairs.threshold);
      const [hitShare, wrongShare] = [hits / figures.asked, wrong / Math.max(1, hits)];
      found.push(
        line(
          `${name}, BANKING77, ${strictness}: hits >= ${percent(least)} %, wrong <= ${percent(BANKING77_WRONG)} %`,
          `${percent(hitShare)} %, ${percent(wrongShare)} %`,
          hitShare >= least && wrongShare <= BANKING77_WRONG,
        ),
      );
    }
  }
  return found;
}
