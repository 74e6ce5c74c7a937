import process from "node:process";
import { toJson } from "@bufbuild/protobuf";
import { MemorySchema } from "#gen/recollect/v1/memory_pb.js";
import { type Clients, connect } from "./client.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import type { GlobalOptions } from "./global-options.ts";
import { STDIN } from "./input.ts";
import { catchInterrupt, type Interrupt } from "./interrupt.ts";
import { type FilterOptions, toFilter } from "./memory-filter.ts";
import { outputClosed, print, printError, printPaced } from "./output.ts";
import { PartialFile, partOf } from "./partial-file.ts";
import { openProgress, type Progress } from "./progress.ts";

export interface MemoryExportOptions extends GlobalOptions, FilterOptions {}

/** Stands for standard output where a path is expected. */
const STDOUT = STDIN;

/** Writes all memories, oldest first, as JSON lines for `memory import`. */
export async function memoryExport(path: string, options: MemoryExportOptions): Promise<ExitCode> {
  using interrupt = catchInterrupt();
  const clients = connect(options);
  // Awaited here, so that the signal handlers stay until the end.
  return await (path === STDOUT
    ? exportToStdout(clients, options, interrupt)
    : exportToFile(clients, path, options, interrupt));
}

async function exportToStdout(
  clients: Clients,
  options: MemoryExportOptions,
  interrupt: Interrupt,
): Promise<ExitCode> {
  using progress = await openExportProgress(clients, options, 0);
  let count = 0;
  try {
    for await (const { line } of linesOf(
      clients,
      options,
      "",
      AbortSignal.any([interrupt.signal, outputClosed]),
    )) {
      await printPaced(line);
      count += 1;
      progress.advance(count);
    }
  } catch (error) {
    if (outputClosed.aborted) return EXIT_CODE.ok;
    if (!interrupt.signal.aborted) throw error;
    progress.clear();
    printError(`recollect: interrupted after ${count} memories; an export to a FILE can be resumed`);
    return interrupt.exitCode();
  }
  return EXIT_CODE.ok;
}

async function exportToFile(
  clients: Clients,
  path: string,
  options: MemoryExportOptions,
  interrupt: Interrupt,
): Promise<ExitCode> {
  await using file = await PartialFile.open(path, sourceOf(options));
  if (file.count > 0 && !isSilent(options)) {
    printError(`recollect: resuming ${partOf(path)}, which has ${file.count} memories`);
  }
  using progress = await openExportProgress(clients, options, file.count);
  try {
    for await (const { line, token } of linesOf(clients, options, file.resumeToken, interrupt.signal)) {
      await file.add(line, token);
      progress.advance(file.count);
    }
  } catch (error) {
    progress.clear();
    if (file.count > 0) {
      const why = interrupt.signal.aborted ? "interrupted" : "failed";
      printError(
        `recollect: ${why}; ${partOf(path)} has ${file.count} memories, and the same command resumes it`,
      );
    }
    if (!interrupt.signal.aborted) throw error;
    return interrupt.exitCode();
  }
  await file.complete();
  progress.clear();
  if (options.json) print(JSON.stringify({ file: path, exportedCount: file.count }));
  else if (!options.quiet) print(`${file.count} exported to ${path}`);
  return EXIT_CODE.ok;
}

async function* linesOf(
  clients: Clients,
  options: MemoryExportOptions,
  resumeToken: string,
  signal: AbortSignal,
): AsyncGenerator<{ readonly line: string; readonly token: string }> {
  const filter = toFilter(options);
  const stream = clients.memory.exportMemories(
    { namespace: options.namespace, ...(filter === undefined ? {} : { filter }), resumeToken },
    // No deadline: the duration depends on the amount of data.
    { signal, timeoutMs: 0 },
  );
  for await (const { memory, resumeToken: token } of stream) {
    if (memory !== undefined) yield { line: JSON.stringify(toJson(MemorySchema, memory)), token };
  }
}

/** The total is known for a complete namespace only. */
async function openExportProgress(
  clients: Clients,
  options: MemoryExportOptions,
  before: number,
): Promise<Progress> {
  const { namespace } = options;
  const silent = isSilent(options);
  const total =
    silent || toFilter(options) !== undefined
      ? undefined
      : (await clients.memory.getNamespaceStats({ namespace })).memoryCount;
  return openProgress({
    what: "memories",
    before,
    silent,
    stream: process.stderr,
    now: () => performance.now(),
    ...(total === undefined ? {} : { total }),
  });
}

function isSilent({ json, quiet }: GlobalOptions): boolean {
  return json === true || quiet === true;
}

/** Identifies the source of an export in its checkpoint. */
function sourceOf(options: MemoryExportOptions): string {
  const { address, namespace, user, session, kind, tag } = options;
  return JSON.stringify({ address, namespace, user, session, kind, tag });
}
