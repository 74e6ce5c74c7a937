import { type About, type CaseRecord, figures, SERVICE } from "../records.ts";
import type { Measured } from "../rounds.ts";
import type { PeerResult } from "./measure.ts";

/** Throughput of the service as a multiple of the peer's. */
interface Target {
  readonly callers: number;
  readonly atLeast: number;
  /** Callers of the peer, when not as many. */
  readonly peerCallers?: number;
}

const TARGETS: Readonly<Record<string, readonly Target[]>> = {
  "peers search HYBRID": [
    { callers: 1, atLeast: 1.5 },
    { callers: 16, atLeast: 4 },
  ],
  "peers create memory": [
    { callers: 1, atLeast: 0.6 },
    { callers: 16, atLeast: 2, peerCallers: 1 },
  ],
};

/** The record of a case beside a peer. */
export function peerRecord(
  { one, measured }: PeerResult,
  run: { readonly about: About; readonly setting: string; readonly rounds: number; readonly seconds: number },
): CaseRecord {
  const bounded = one.loads.some(({ calls }) => calls !== undefined);
  const length = bounded
    ? one.loads.map(({ callers, calls }) => `${calls} calls by ${callers}`).join(", ")
    : `${run.seconds} s`;
  return {
    ...run.about,
    name: one.name,
    setting: run.setting,
    effort: `${run.rounds} rounds of ${length}, rotated; medians`,
    measured,
    titles: { [SERVICE]: "service", [one.peer]: one.title },
    targets: (TARGETS[one.name] ?? []).flatMap((target) => targetLine(one.name, measured, target)),
    warnings: measured.flatMap(({ name, callers, errors, firstError }) =>
      errors === 0 ? [] : [`${errors} calls of ${name} with ${callers} callers failed: ${firstError}`],
    ),
    remarks: [],
  };
}

function targetLine(
  name: string,
  measured: readonly Measured[],
  { callers, atLeast, peerCallers = callers }: Target,
): string[] {
  const service = measured.find((one) => one.name === SERVICE && one.callers === callers);
  const peer = measured.find((one) => one.name !== SERVICE && one.callers === peerCallers);
  if (service === undefined || peer === undefined) return [];
  const ratio = service.callsPerSecond / peer.callsPerSecond;
  const against = peerCallers === callers ? `${peer.name}'s` : `${peer.name}'s with ${peerCallers} caller`;
  const verdict = ratio >= atLeast ? "met" : "not met";
  return [`${name}, ${callers} callers: at least ${atLeast} x ${against}: ${figures(ratio)}, ${verdict}`];
}
