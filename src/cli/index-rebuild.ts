import process from "node:process";
import { toJson } from "@bufbuild/protobuf";
import { type RebuildIndexResponse, RebuildIndexResponseSchema } from "#gen/recollect/v1/operations_pb.js";
import { connect } from "./client.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import type { GlobalOptions } from "./global-options.ts";
import { catchInterrupt } from "./interrupt.ts";
import { print, printError } from "./output.ts";
import { openProgress } from "./progress.ts";

/** Rebuilds all search indexes, and prints the progress. */
export async function indexRebuild(options: GlobalOptions): Promise<ExitCode> {
  using interrupt = catchInterrupt();
  using progress = openProgress({
    what: "index entries",
    silent: options.json === true || options.quiet === true,
    stream: process.stderr,
    now: () => performance.now(),
  });
  let latest: RebuildIndexResponse | undefined;
  try {
    // No deadline: the duration depends on the amount of data.
    const stream = connect(options).operations.rebuildIndex({}, { signal: interrupt.signal, timeoutMs: 0 });
    for await (latest of stream) {
      progress.advance(latest.indexedCount, latest.totalCount);
      if (options.json) {
        print(JSON.stringify(toJson(RebuildIndexResponseSchema, latest, { alwaysEmitImplicit: true })));
      }
    }
  } catch (error) {
    progress.clear();
    if (!interrupt.signal.aborted) throw error;
    printError("recollect: interrupted; the previous indexes stay in use");
    return interrupt.exitCode();
  }
  progress.clear();
  if (!options.json && !options.quiet) {
    print(`${new Intl.NumberFormat("en").format(latest?.indexedCount ?? 0)} index entries made again`);
  }
  return EXIT_CODE.ok;
}
