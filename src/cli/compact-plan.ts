import { toJson } from "@bufbuild/protobuf";
import {
  type Compaction,
  CompactionGroupSchema,
  CompactionSchema,
  StartCompactionResponseSchema,
} from "#gen/recollect/v1/compaction_pb.js";
import { type Clients, connect } from "./client.ts";
import { type RunOptions, toStartRequest } from "./compact-options.ts";
import { exitCodeOf, watch } from "./compact-watch.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import { formatCompaction, formatGroup } from "./format-compaction.ts";
import type { GlobalOptions } from "./global-options.ts";
import { outputClosed, print, printPaced } from "./output.ts";

export interface CompactPlanOptions extends RunOptions {
  /** Store the plan, so that it can be approved. */
  readonly store?: boolean;
}

/** Groups read at once. */
const PAGE_SIZE = 100;

/** Prints what a compaction would do. With `store` the whole plan, which then awaits approval. */
export async function compactPlan(options: CompactPlanOptions): Promise<ExitCode> {
  const clients = connect(options);
  if (options.store === true) return storePlan(clients, options);
  const response = await clients.compaction.startCompaction({
    ...toStartRequest(options),
    validateOnly: true,
  });
  if (options.json) {
    print(JSON.stringify(toJson(StartCompactionResponseSchema, response, { alwaysEmitImplicit: true })));
    return EXIT_CODE.ok;
  }
  for (const group of response.groups) for (const line of formatGroup(group)) await printPaced(line);
  if (response.truncated) print("(more groups; --store stores and prints the whole plan)");
  if (response.compaction !== undefined) printRun(response.compaction);
  return EXIT_CODE.ok;
}

async function storePlan(clients: Clients, options: CompactPlanOptions): Promise<ExitCode> {
  const started = await clients.compaction.startCompaction({
    ...toStartRequest(options),
    requireApproval: true,
  });
  const id = started.compaction?.id ?? "";
  const { latest, exitCode } = await watch(clients, id, { ...options, json: false });
  if (exitCode !== undefined) return exitCode;
  await printGroups(clients, id, options);
  if (latest !== undefined) printRun(latest, options.json);
  return exitCodeOf(latest);
}

function printRun(run: Compaction, json = false): void {
  if (json) print(JSON.stringify(toJson(CompactionSchema, run, { alwaysEmitImplicit: true })));
  else for (const line of formatCompaction(run)) print(line);
}

/** Prints a run with its plan. */
export async function compactGet(id: string, options: GlobalOptions): Promise<ExitCode> {
  const clients = connect(options);
  const { compaction } = await clients.compaction.getCompaction({
    namespace: options.namespace,
    id,
    pageSize: 1,
  });
  await printGroups(clients, id, options);
  if (compaction !== undefined) printRun(compaction, options.json);
  return EXIT_CODE.ok;
}

async function printGroups(clients: Clients, id: string, options: GlobalOptions): Promise<void> {
  let pageToken = "";
  do {
    const request = { namespace: options.namespace, id, pageSize: PAGE_SIZE, pageToken };
    const page = await clients.compaction.getCompaction(request);
    for (const group of page.groups) {
      if (outputClosed.aborted) return;
      if (options.json) {
        await printPaced(JSON.stringify(toJson(CompactionGroupSchema, group, { alwaysEmitImplicit: true })));
      } else for (const line of formatGroup(group)) await printPaced(line);
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}
