import type { CaseEffort, CaseResult } from "./case-run.ts";
import { type About, type CaseRecord, figures, SERVICE } from "./records.ts";
import { type Measurement, targetLines, warningLines } from "./targets.ts";

/** What is true of all cases over one store. */
export interface Circumstances {
  readonly about: About;
  readonly effort: CaseEffort;
  readonly setting: string;
  readonly measurement: Measurement;
  readonly redisVersion: string | undefined;
  readonly fillSeconds: number;
  /** What Redis holds after filling. */
  readonly redisBytes: number | undefined;
}

/** The record of a case over one store. */
export function recordOf(result: CaseResult, run: Circumstances): CaseRecord {
  const { effort } = run;
  return {
    ...run.about,
    name: result.name,
    setting: run.setting,
    effort:
      `${effort.rounds} rounds of ${effort.seconds} s with all callers, ` +
      `${effort.singleRounds} of ${effort.singleSeconds} s with one, rotated; medians`,
    measured: result.measured,
    titles: result.titles,
    targets: targetLines(result, run.measurement),
    warnings: warningLines(result),
    remarks: [...storeRemarks(result, run), ...planRemarks(result), ...commandRemarks(result)],
  };
}

function storeRemarks(
  { residentMegabytes }: CaseResult,
  { fillSeconds, redisBytes, redisVersion, measurement }: Circumstances,
): string[] {
  const redis =
    redisBytes === undefined
      ? ""
      : ` Redis ${redisVersion} without persistence holds ${(redisBytes / 2 ** 20).toFixed(0)} MiB, ` +
        `${(redisBytes / measurement.memories / 1024).toFixed(1)} KiB a memory.`;
  const resident =
    residentMegabytes === undefined ? "" : ` The service has ${residentMegabytes.toFixed(0)} MB.`;
  return [`The store was filled in ${fillSeconds.toFixed(1)} s through the API.${redis}${resident}`];
}

function planRemarks({ plan }: CaseResult): string[] {
  return plan === undefined ? [] : [`How the longest request is carried out: ${plan}`];
}

function commandRemarks({ measured }: CaseResult): string[] {
  return measured.flatMap(({ name, callers, redis }) => {
    if (redis === undefined || callers === 1 || (name !== SERVICE && name !== "floor")) return [];
    const commands = redis.commands
      .filter(({ perCall }) => perCall >= 0.01)
      .map((one) => `${figures(one.perCall)} ${one.name} x ${figures(one.micros)}`);
    return [
      `Commands of a call of the ${name}, times microseconds of Redis' one thread: ${commands.join(", ")}`,
    ];
  });
}
