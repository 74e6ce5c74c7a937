import { toJson } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import {
  WatchMemoriesResponse_Change as Change,
  WatchMemoriesResponseSchema,
} from "#gen/recollect/v1/memory_pb.js";
import { connect } from "./client.ts";
import { reasonOf } from "./errors.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import { formatChange } from "./format-change.ts";
import type { GlobalOptions } from "./global-options.ts";
import { catchInterrupt } from "./interrupt.ts";
import { outputClosed, printError, printPaced } from "./output.ts";

export interface MemoryWatchOptions extends GlobalOptions {
  /** The token to resume from; absent: from now on. */
  readonly from?: string;
}

/** Prints the changes of a namespace until it is interrupted, and then the token that continues behind the last. */
export async function memoryWatch(options: MemoryWatchOptions): Promise<ExitCode> {
  using interrupt = catchInterrupt();
  const clients = connect(options);
  const signal = AbortSignal.any([interrupt.signal, outputClosed]);
  let token = options.from ?? "";
  try {
    const request = { namespace: options.namespace, resumeToken: token };
    // No deadline: a watch has no end.
    for await (const response of clients.memory.watchMemories(request, { signal, timeoutMs: 0 })) {
      if (response.change === Change.UNSPECIFIED) {
        if (token === "" && options.quiet !== true) printError("recollect: watching; Ctrl-C ends it");
      } else {
        await printPaced(
          options.json
            ? JSON.stringify(toJson(WatchMemoriesResponseSchema, response))
            : formatChange(response),
        );
      }
      token = response.resumeToken;
    }
  } catch (error) {
    // A token that gives nothing, or is lost, would only be refused again.
    const isLost = error instanceof ConnectError && reasonOf(error) === "CHANGES_LOST";
    if (signal.aborted || (token !== options.from && !isLost)) printToken(token);
    if (outputClosed.aborted) return EXIT_CODE.ok;
    if (!interrupt.signal.aborted) throw error;
    return interrupt.exitCode();
  }
  printToken(token);
  return EXIT_CODE.ok;
}

function printToken(token: string): void {
  if (token !== "") printError(`recollect: continue with --from ${token}`);
}
