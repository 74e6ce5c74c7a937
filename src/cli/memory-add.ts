import { toBinary, toJson } from "@bufbuild/protobuf";
import { durationFromMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import {
  type BatchCreateMemoriesResponse_Result,
  BatchCreateMemoriesResponse_ResultSchema,
  MemorySchema,
  OnDuplicate,
} from "#gen/recollect/v1/memory_pb.js";
import { inBatches } from "./batches.ts";
import { type Clients, connect, MAX_MESSAGE_BYTES } from "./client.ts";
import { type Draft, type DraftDefaults, draftOfText, draftsOfFiles, draftsOfJsonLines } from "./drafts.ts";
import { describeItemError } from "./errors.ts";
import { toLine } from "./excerpt.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import type { GlobalOptions } from "./global-options.ts";
import { readPipedText, requireFiles, STDIN } from "./input.ts";
import { ITEM_DETAILS } from "./item-details.ts";
import { type KindName, toKind } from "./kind-names.ts";
import { print, printError } from "./output.ts";
import { UsageError } from "./usage-error.ts";

export interface MemoryAddOptions extends GlobalOptions {
  readonly file?: readonly string[];
  readonly jsonl?: string;
  readonly user?: string;
  readonly session?: string;
  readonly author?: string;
  readonly kind?: KindName;
  readonly tag: readonly string[];
  readonly importance?: number;
  /** Milliseconds. */
  readonly ttl?: number;
  readonly eventTime?: Timestamp;
  readonly validFrom?: Timestamp;
  readonly validUntil?: Timestamp;
  readonly supersedes: readonly string[];
  readonly onDuplicate?: "return-existing" | "allow" | "refuse";
}

const ON_DUPLICATE = {
  "return-existing": OnDuplicate.RETURN_EXISTING,
  allow: OnDuplicate.ALLOW,
  refuse: OnDuplicate.REFUSE,
} as const;

/** Limit of printed errors for a file. */
const MAX_REPORTED = 20;

/**
 * Stores text, documents or JSON lines as memories. Prints the id of a single text, otherwise a summary line; with
 * `json` the result of every item. Refused items are reported and do not stop the others.
 */
export async function memoryAdd(words: readonly string[], options: MemoryAddOptions): Promise<ExitCode> {
  const drafts = await openDrafts(words, options);
  const report = new AddReport(options, words.length > 0);
  const clients = connect(options);
  try {
    for await (const batch of inBatches(drafts, sizeOf)) await store(clients, batch, options, report);
  } catch (error) {
    report.reportInterruption();
    throw error;
  }
  report.finish();
  return report.failed === 0 ? EXIT_CODE.ok : EXIT_CODE.no;
}

async function openDrafts(
  words: readonly string[],
  options: MemoryAddOptions,
): Promise<AsyncIterable<Draft> | Iterable<Draft>> {
  const { file, jsonl } = options;
  const given = [words.length > 0, file !== undefined, jsonl !== undefined].filter(Boolean).length;
  if (given !== 1) throw new UsageError("give one of: text, - for standard input, --file, --jsonl");
  const supersedes = [...new Set(options.supersedes)];
  if (words.length === 0 && supersedes.length > 0) {
    throw new UsageError("--supersedes is for one text; lines of --jsonl have a field for it");
  }
  const defaults = defaultsOf(options);
  if (file !== undefined) {
    await requireFiles(file);
    return draftsOfFiles(file, defaults);
  }
  if (jsonl !== undefined) {
    await requireFiles([jsonl]);
    return draftsOfJsonLines(jsonl, defaults);
  }
  const isPiped = words.length === 1 && words[0] === STDIN;
  const text = isPiped ? await readPipedText("pipe a text into `memory add -`") : words.join(" ");
  return [draftOfText(text, { ...defaults, supersedes })];
}

function defaultsOf(options: MemoryAddOptions): DraftDefaults {
  const { user, session, author, kind, tag, importance, ttl } = options;
  const { eventTime, validFrom, validUntil } = options;
  return {
    tags: [...new Set(tag)],
    ...(eventTime === undefined ? {} : { eventTime }),
    ...(validFrom === undefined ? {} : { validFrom }),
    ...(validUntil === undefined ? {} : { validUntil }),
    ...(user === undefined ? {} : { userId: user }),
    ...(session === undefined ? {} : { sessionId: session }),
    ...(author === undefined ? {} : { author }),
    ...(kind === undefined ? {} : { kind: toKind(kind) }),
    ...(importance === undefined ? {} : { importance }),
    ...(ttl === undefined ? {} : { expiration: { case: "ttl", value: durationFromMs(ttl) } }),
  };
}

function sizeOf(draft: Draft): number {
  return "memory" in draft ? toBinary(MemorySchema, draft.memory).byteLength : 0;
}

async function store(
  { memory: client }: Clients,
  batch: readonly Draft[],
  options: MemoryAddOptions,
  report: AddReport,
): Promise<void> {
  for (const draft of batch) {
    if ("problem" in draft) report.problem([`recollect: ${draft.origin}: ${draft.problem}`]);
  }
  const drafts = batch.filter((draft) => "memory" in draft);
  if (drafts.length === 0) return;
  const { results } = await client.batchCreateMemories({
    namespace: options.namespace,
    memories: drafts.map(({ memory }) => memory),
    // Results are printed as JSON, if possible complete.
    ...(options.json ? { maxAnswerBytes: MAX_MESSAGE_BYTES } : {}),
    ...(options.onDuplicate === undefined ? {} : { onDuplicate: ON_DUPLICATE[options.onDuplicate] }),
  });
  for (const [index, result] of results.entries()) report.result(result, drafts[index]?.origin ?? "");
}

/** Counts and reports the results of the items. */
class AddReport {
  failed = 0;
  readonly #json: boolean;
  readonly #quiet: boolean;
  readonly #single: boolean;
  #stored = 0;
  #duplicates = 0;

  constructor({ json = false, quiet = false }: GlobalOptions, single: boolean) {
    this.#json = json;
    this.#quiet = quiet;
    this.#single = single;
  }

  result(result: BatchCreateMemoriesResponse_Result, origin: string): void {
    if (this.#json) {
      const line = toJson(BatchCreateMemoriesResponse_ResultSchema, result, { registry: ITEM_DETAILS });
      print(JSON.stringify(line));
    }
    const { outcome, duplicate, differs, recallLoop } = result;
    if (outcome.case === "error") this.problem(describeItemError(outcome.value, origin));
    else if (duplicate) this.#duplicates += 1;
    else this.#stored += 1;
    if (this.#single && !this.#json && outcome.case === "memory") {
      print(outcome.value.id);
      const why = recallLoop ? "recalled shortly before" : "already there";
      if (duplicate) printError(`${why}: no new memory was stored${differing(differs)}`);
      if (outcome.value.flags.length > 0) printError(`flags: ${toLine(outcome.value.flags.join(", "))}`);
    }
  }

  problem(lines: readonly string[]): void {
    this.failed += 1;
    if (this.failed <= MAX_REPORTED) for (const line of lines) printError(line);
  }

  finish(): void {
    this.#countUnreported();
    if (this.#single || this.#json || this.#quiet) return;
    print(`${this.#stored} stored, ${this.#duplicates} already there, ${this.failed} failed`);
  }

  /** Reports an error during the command: stored memories stay stored, and a repetition is harmless. */
  reportInterruption(): void {
    this.#countUnreported();
    if (this.#stored > 0) printError(`recollect: ${this.#stored} were stored before this error:`);
  }

  #countUnreported(): void {
    if (this.failed > MAX_REPORTED) {
      printError(`recollect: ${this.failed - MAX_REPORTED} more failures are not shown`);
    }
  }
}

/** The fields of a duplicate that differ from the stored memory. */
function differing(fields: readonly string[]): string {
  return fields.length === 0 ? "" : `; the existing one has another ${fields.join(", ")}`;
}
