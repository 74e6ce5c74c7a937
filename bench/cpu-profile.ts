/** A V8 CPU profile, as far as it is read here: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/ */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Microseconds of the system's monotonic clock, the one of process.hrtime. */
  readonly startTime: number;
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

/** A named share of the time, 0 to 1. */
export interface Share {
  readonly name: string;
  readonly share: number;
}

/** Processor time of a part of a profile. Shares are of the non-idle time. */
export interface Costs {
  /** Share of idle time of the event loop. */
  readonly idle: number;
  /** Self time. */
  readonly self: readonly Share[];
  /** Total time; recursive calls count once. */
  readonly total: readonly Share[];
  /** Self time by file, or by native code and garbage collector. */
  readonly files: readonly Share[];
}

/** Adds up the samples between two moments, in microseconds of the monotonic clock. */
export function costsBetween(profile: CpuProfile, from: number, to: number): Costs {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(
    profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])),
  );
  const self = new Map<string, number>();
  const total = new Map<string, number>();
  const files = new Map<string, number>();
  let idle = 0;
  let busy = 0;
  let time = profile.startTime;
  for (const [index, sample] of profile.samples.entries()) {
    const delta = profile.timeDeltas[index] ?? 0;
    time += delta;
    const node = nodes.get(sample);
    if (node === undefined || time < from || time > to) continue;
    if (node.callFrame.functionName === "(idle)") {
      idle += delta;
      continue;
    }
    busy += delta;
    add(self, nameOf(node), delta);
    add(files, fileOf(node), delta);
    const stack = new Set<string>();
    for (let at: ProfileNode | undefined = node; at !== undefined; at = nodes.get(parents.get(at.id) ?? -1)) {
      stack.add(nameOf(at));
    }
    for (const name of stack) add(total, name, delta);
  }
  const shares = (times: ReadonlyMap<string, number>): Share[] =>
    [...times].map(([name, one]) => ({ name, share: one / busy })).sort((a, b) => b.share - a.share);
  return { idle: idle / (idle + busy), self: shares(self), total: shares(total), files: shares(files) };
}

function add(times: Map<string, number>, name: string, time: number): void {
  times.set(name, (times.get(name) ?? 0) + time);
}

function nameOf(node: ProfileNode): string {
  const { functionName, url, lineNumber } = node.callFrame;
  const name = functionName === "" ? "(anonymous)" : functionName;
  return url === "" ? name : `${name} ${shortened(url)}:${lineNumber + 1}`;
}

function fileOf({ callFrame }: ProfileNode): string {
  return callFrame.url === "" ? `(native) ${callFrame.functionName}` : shortened(callFrame.url);
}

/** The path from node_modules or dist on, without the directory of the project. */
function shortened(url: string): string {
  return url.replace(/^file:.*?\/(?=node_modules\/|dist\/)/, "");
}
