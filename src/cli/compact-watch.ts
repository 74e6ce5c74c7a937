import process from "node:process";
import { toJson } from "@bufbuild/protobuf";
import {
  type Compaction,
  CompactionSchema,
  Compaction_State as State,
} from "#gen/recollect/v1/compaction_pb.js";
import type { Clients } from "./client.ts";
import { connect } from "./client.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import { formatCompaction } from "./format-compaction.ts";
import type { GlobalOptions } from "./global-options.ts";
import { catchInterrupt } from "./interrupt.ts";
import { print, printError } from "./output.ts";
import { openProgress } from "./progress.ts";

/** Shows the progress of a run until it ends or awaits approval. */
export async function compactWatch(id: string, options: GlobalOptions): Promise<ExitCode> {
  const { latest, exitCode } = await watch(connect(options), id, options);
  if (latest !== undefined && !options.json) for (const line of formatCompaction(latest)) print(line);
  return exitCode ?? exitCodeOf(latest);
}

/** The exit code for a run that has ended or awaits approval. */
export function exitCodeOf(run: Compaction | undefined): ExitCode {
  return run?.state === State.FAILED || run?.state === State.CANCELLED ? EXIT_CODE.error : EXIT_CODE.ok;
}

/**
 * Watches a run with a progress bar, or with --json prints it each time that it has changed. `exitCode`: of an interruption,
 * which leaves the run as it is.
 */
export async function watch(
  clients: Clients,
  id: string,
  options: GlobalOptions,
): Promise<{ readonly latest: Compaction | undefined; readonly exitCode?: ExitCode }> {
  using interrupt = catchInterrupt();
  using progress = openProgress({
    what: "groups",
    silent: options.json === true || options.quiet === true,
    stream: process.stderr,
    now: () => performance.now(),
  });
  let latest: Compaction | undefined;
  try {
    const request = { namespace: options.namespace, id };
    // No deadline: the duration depends on the number of memories.
    const stream = clients.compaction.watchCompaction(request, { signal: interrupt.signal, timeoutMs: 0 });
    for await (const { compaction } of stream) {
      latest = compaction;
      if (compaction === undefined) continue;
      if (options.json)
        print(JSON.stringify(toJson(CompactionSchema, compaction, { alwaysEmitImplicit: true })));
      progress.advance(compaction.doneGroupCount, compaction.groupCount);
    }
  } catch (error) {
    progress.clear();
    if (!interrupt.signal.aborted) throw error;
    printError(`recollect: interrupted; the run goes on: recollect compact watch ${id}`);
    return { latest, exitCode: interrupt.exitCode() };
  }
  progress.clear();
  return { latest };
}
