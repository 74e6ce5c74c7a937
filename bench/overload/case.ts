import process from "node:process";
import type { About } from "../records.ts";
import { openRedis } from "../redis-server.ts";
import type { Backend } from "../stage.ts";
import { Workspace } from "../workspace.ts";
import { FACTORS, measureOverload, type OverloadEffort, type OverloadResult } from "./measure.ts";
import { overloadWarnings, stageTable, targetLines, writeOverloadRecord } from "./report.ts";

const NORMAL: OverloadEffort = { warmSeconds: 6, peakSeconds: 5, overloadSeconds: 10, recoverySeconds: 8 };
const QUICK: OverloadEffort = { warmSeconds: 4, peakSeconds: 3, overloadSeconds: 5, recoverySeconds: 6 };
const DIMENSION = "384";

export interface OverloadCase {
  readonly backend: Backend;
  readonly dist: string;
  readonly redisUrl: string | undefined;
  readonly isQuick: boolean;
  readonly about: About;
  /** The folder of the record; undefined: none is written. */
  readonly results: string | undefined;
  readonly say: (line: string) => void;
}

/**
 * The case `overload`: finds the highest rate that the service sustains over a store of its own, sends 1.5, 3 and 10
 * times as much, and checks the targets.
 */
export async function measureOverloadCase(
  options: OverloadCase,
): Promise<{ readonly targets: readonly string[]; readonly path: string | undefined }> {
  const { results, about, say } = options;
  const result = await measured(options);
  say(`\n${stageTable(result)}\n`);
  const path = results === undefined ? undefined : writeOverloadRecord(results, { ...about, result });
  for (const line of overloadWarnings([result])) say(`  warning: ${line}`);
  return { targets: targetLines([result]), path };
}

async function measured({ backend, dist, redisUrl, isQuick, say }: OverloadCase): Promise<OverloadResult> {
  await using redis = backend === "redis" ? await openRedis(redisUrl) : undefined;
  await using workspace = new Workspace();
  const settings = { ...redis?.settings(`overload-${process.pid}`), VECTOR_DIM: DIMENSION };
  return await measureOverload({
    workspace,
    backend,
    start: () => workspace.service({ dist, data: "data", settings }),
    effort: isQuick ? QUICK : NORMAL,
    factors: FACTORS,
    say,
  });
}
