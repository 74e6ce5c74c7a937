import { toJson } from "@bufbuild/protobuf";
import {
  type Compaction,
  CompactionSchema,
  UndoCompactionResponseSchema,
} from "#gen/recollect/v1/compaction_pb.js";
import { type Clients, connect } from "./client.ts";
import { type RunOptions, toStartRequest } from "./compact-options.ts";
import { exitCodeOf, watch } from "./compact-watch.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import { formatCompaction, formatCompactionRow } from "./format-compaction.ts";
import type { GlobalOptions } from "./global-options.ts";
import { outputClosed, print, printError, printPaced } from "./output.ts";

export interface WaitOptions {
  /** False: return when the run has been started or approved. */
  readonly wait: boolean;
}

/** Starts a run and shows its progress. */
export async function compactRun(options: RunOptions & WaitOptions): Promise<ExitCode> {
  const clients = connect(options);
  const { compaction } = await clients.compaction.startCompaction(toStartRequest(options));
  return follow(clients, compaction, options);
}

/** Approves a plan and shows its progress. Without an etag that of the plan as it is now. */
export async function compactApprove(
  id: string,
  options: GlobalOptions & WaitOptions & { readonly etag: string },
): Promise<ExitCode> {
  const clients = connect(options);
  const { namespace, etag } = options;
  const { compaction } = await clients.compaction.approveCompaction({ namespace, id, etag });
  return follow(clients, compaction, options);
}

async function follow(
  clients: Clients,
  started: Compaction | undefined,
  options: GlobalOptions & WaitOptions,
): Promise<ExitCode> {
  if (started === undefined) return EXIT_CODE.error;
  if (!options.wait) {
    printRun(started, options.json);
    return EXIT_CODE.ok;
  }
  const { latest, exitCode } = await watch(clients, started.id, options);
  if (exitCode !== undefined) return exitCode;
  if (latest !== undefined && options.json !== true) printRun(latest);
  return exitCodeOf(latest);
}

function printRun(run: Compaction, json = false): void {
  if (json) print(JSON.stringify(toJson(CompactionSchema, run, { alwaysEmitImplicit: true })));
  else for (const line of formatCompaction(run)) print(line);
}

/** Stops a run at the next safe point. */
export async function compactCancel(id: string, options: GlobalOptions): Promise<ExitCode> {
  const clients = connect(options);
  const { compaction } = await clients.compaction.cancelCompaction({ namespace: options.namespace, id });
  if (compaction !== undefined) printRun(compaction, options.json);
  return EXIT_CODE.ok;
}

/** Undoes a run, or what it did to one memory. */
export async function compactUndo(
  id: string,
  memoryId: string | undefined,
  options: GlobalOptions,
): Promise<ExitCode> {
  const { namespace } = options;
  const request = { namespace, id, memoryId: memoryId ?? "" };
  // No deadline: the duration depends on the number of memories.
  const response = await connect(options).compaction.undoCompaction(request, { timeoutMs: 0 });
  if (options.json) {
    print(JSON.stringify(toJson(UndoCompactionResponseSchema, response, { alwaysEmitImplicit: true })));
  } else if (response.compaction !== undefined) printRun(response.compaction);
  for (const conflict of response.conflictIds) {
    printError(`recollect: ${conflict} was changed or deleted since, and stays as it is`);
  }
  return response.conflictIds.length === 0 ? EXIT_CODE.ok : EXIT_CODE.no;
}

const PAGE_SIZE = 100;

/** Lists runs, newest first. */
export async function compactList(options: GlobalOptions & { readonly limit?: number }): Promise<ExitCode> {
  const clients = connect(options);
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  let pageToken = "";
  do {
    if (left === 0) break;
    const request = { namespace: options.namespace, pageSize: Math.min(left, PAGE_SIZE), pageToken };
    const page = await clients.compaction.listCompactions(request);
    for (const run of page.compactions) {
      if (outputClosed.aborted) return EXIT_CODE.ok;
      await printPaced(
        options.json ? JSON.stringify(toJson(CompactionSchema, run)) : formatCompactionRow(run),
      );
    }
    left -= page.compactions.length;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return EXIT_CODE.ok;
}
