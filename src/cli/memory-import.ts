import process from "node:process";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { toBinary, toJson } from "@bufbuild/protobuf";
import {
  type ImportMemoriesRequestSchema,
  type ImportMemoriesResponse,
  ImportMemoriesResponseSchema,
  MemorySchema,
} from "#gen/recollect/v1/memory_pb.js";
import { inBatches } from "./batches.ts";
import { connect } from "./client.ts";
import { type Draft, draftsOfJsonLines } from "./drafts.ts";
import { describeItemError } from "./errors.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import type { GlobalOptions } from "./global-options.ts";
import { countLines, requireFiles } from "./input.ts";
import { catchInterrupt } from "./interrupt.ts";
import { ITEM_DETAILS } from "./item-details.ts";
import { print, printError } from "./output.ts";
import { openProgress, type Progress } from "./progress.ts";

type ImportRequest = MessageInitShape<typeof ImportMemoriesRequestSchema>;

/** Unacknowledged messages: enough that the server never waits for the next one. */
const WINDOW = 4;
/** Limit of printed errors for a file. */
const MAX_REPORTED = 20;

/**
 * Stores lines that `memory export` wrote. Existing ids are skipped, so that an interrupted import is resumed by the
 * same command. Refused lines are reported and do not stop the others.
 */
export async function memoryImport(path: string, options: GlobalOptions): Promise<ExitCode> {
  await requireFiles([path]);
  using interrupt = catchInterrupt();
  const silent = options.json === true || options.quiet === true;
  const total = silent ? undefined : await countLines(path);
  using progress = openProgress({
    what: "lines",
    silent,
    stream: process.stderr,
    now: () => performance.now(),
    ...(total === undefined ? {} : { total }),
  });
  const report = new ImportReport(options, progress);
  // Ends reading when the server ends the stream, and vice versa.
  const streamEnd = new AbortController();
  const reading = AbortSignal.any([interrupt.signal, streamEnd.signal]);
  const sender = new Sender(draftsOfJsonLines(path, {}, reading), options.namespace, report, reading);
  try {
    using clients = connect(options);
    // No deadline: the duration depends on the amount of data.
    for await (const response of clients.memory.importMemories(sender.requests(), { timeoutMs: 0 })) {
      report.acknowledged(response, sender.release(response.sequence));
    }
    // Lines read before are sent and acknowledged; then the read error is reported.
    if (sender.failure !== undefined) throw sender.failure;
  } catch (error) {
    report.reportInterruption("failed");
    throw error;
  } finally {
    streamEnd.abort();
  }
  if (interrupt.signal.aborted) {
    report.reportInterruption("interrupted");
    return interrupt.exitCode();
  }
  report.finish();
  return report.failed === 0 ? EXIT_CODE.ok : EXIT_CODE.no;
}

/** Sends lines in messages, with the number of the last line as sequence, and no more than the window at a time. */
class Sender {
  readonly #drafts: AsyncIterable<Draft>;
  readonly #namespace: string;
  readonly #report: ImportReport;
  readonly #reading: AbortSignal;
  /** Origins of the memories of each message, by its sequence. */
  readonly #underway = new Map<number, readonly string[]>();
  #released: () => void = () => undefined;
  /** The read error of the input. */
  failure: unknown;

  constructor(drafts: AsyncIterable<Draft>, namespace: string, report: ImportReport, reading: AbortSignal) {
    this.#drafts = drafts;
    this.#namespace = namespace;
    this.#report = report;
    this.#reading = reading;
    reading.addEventListener("abort", () => this.#released(), { once: true });
  }

  /** Never throws: the client would take that for a failure of the call. */
  async *requests(): AsyncGenerator<ImportRequest> {
    try {
      yield* this.#messages();
    } catch (error) {
      this.failure = error;
    }
  }

  async *#messages(): AsyncGenerator<ImportRequest> {
    let sequence = 0;
    for await (const batch of inBatches(this.#drafts, sizeOf)) {
      while (this.#underway.size >= WINDOW && !this.#reading.aborted) {
        await new Promise<void>((resolve) => {
          this.#released = resolve;
        });
      }
      if (this.#reading.aborted) return;
      for (const draft of batch) {
        if ("problem" in draft) this.#report.problem([`recollect: ${draft.origin}: ${draft.problem}`]);
      }
      const drafts = batch.filter((draft) => "memory" in draft);
      sequence = batch.at(-1)?.line ?? sequence + 1;
      this.#underway.set(
        sequence,
        drafts.map(({ origin }) => origin),
      );
      yield { namespace: this.#namespace, sequence, memories: drafts.map(({ memory }) => memory) };
    }
  }

  /** Acknowledges a message; returns the origins of its memories. */
  release(sequence: number): readonly string[] {
    const origins = this.#underway.get(sequence) ?? [];
    this.#underway.delete(sequence);
    this.#released();
    return origins;
  }
}

function sizeOf(draft: Draft): number {
  return "memory" in draft ? toBinary(MemorySchema, draft.memory).byteLength : 0;
}

/** Counts and reports the results of the lines. */
class ImportReport {
  failed = 0;
  readonly #options: GlobalOptions;
  readonly #progress: Progress;
  #last: ImportMemoriesResponse | undefined;

  constructor(options: GlobalOptions, progress: Progress) {
    this.#options = options;
    this.#progress = progress;
  }

  acknowledged(response: ImportMemoriesResponse, origins: readonly string[]): void {
    this.#last = response;
    if (this.#options.json) {
      const line = toJson(ImportMemoriesResponseSchema, response, { registry: ITEM_DETAILS });
      print(JSON.stringify(line));
    }
    for (const { index, error } of response.refusals) {
      if (error !== undefined) this.problem(describeItemError(error, origins[index] ?? ""));
    }
    this.#progress.advance(response.sequence);
  }

  problem(lines: readonly string[]): void {
    this.failed += 1;
    if (this.failed > MAX_REPORTED) return;
    this.#progress.clear();
    for (const line of lines) printError(line);
  }

  finish(): void {
    this.#countUnreported();
    if (this.#options.json || this.#options.quiet) return;
    const { importedCount = 0, skippedCount = 0, expiredCount = 0 } = this.#last ?? {};
    print(
      `${importedCount} imported, ${skippedCount} already there, ${expiredCount} expired, ${this.failed} failed`,
    );
  }

  /** Reports an interruption: acknowledged memories stay stored, and a repetition is harmless. */
  reportInterruption(why: string): void {
    this.#countUnreported();
    if (this.#last === undefined) return;
    const { importedCount, skippedCount, sequence } = this.#last;
    printError(
      `recollect: ${why} after line ${sequence}: ${importedCount} imported, ${skippedCount} already there; ` +
        "the same command resumes it, and stores nothing twice",
    );
  }

  #countUnreported(): void {
    this.#progress.clear();
    if (this.failed > MAX_REPORTED) {
      printError(`recollect: ${this.failed - MAX_REPORTED} more failures are not shown`);
    }
  }
}
