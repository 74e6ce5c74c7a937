import { digest } from "../../lib/digest.ts";
import type { CompactionRun } from "./run.ts";

/** The etag of a run in this version: of its plan and its state, which change together with the version. */
export function runEtag({
  run,
  version,
}: {
  readonly run: Pick<CompactionRun, "id">;
  readonly version: number;
}): string {
  return digest(run.id, String(version)).slice(0, 32);
}
