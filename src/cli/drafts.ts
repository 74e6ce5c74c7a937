import { create, fromJson, type JsonValue, type MessageInitShape } from "@bufbuild/protobuf";
import { type Memory, MemorySchema } from "#gen/recollect/v1/memory_pb.js";
import { splitDocument } from "./documents.ts";
import { nameOf, readLines, readText } from "./input.ts";
import { UsageError } from "./usage-error.ts";

/**
 * A memory to be stored, or why it could not be read. `origin` is its source, for messages; empty for a single text.
 * `line` is its line number in a JSONL file.
 */
export type Draft = { readonly origin: string; readonly line?: number } & (
  | { readonly memory: Memory }
  | { readonly problem: string }
);

/** Default fields from the options of the command, for memories that do not set them. */
export type DraftDefaults = Pick<
  MessageInitShape<typeof MemorySchema>,
  | "userId"
  | "sessionId"
  | "author"
  | "kind"
  | "tags"
  | "importance"
  | "expiration"
  | "eventTime"
  | "validFrom"
  | "validUntil"
>;

/** One text as one memory. */
export function draftOfText(
  text: string,
  defaults: DraftDefaults & Pick<MessageInitShape<typeof MemorySchema>, "supersedes">,
): Draft {
  return { origin: "", memory: create(MemorySchema, { text, ...defaults }) };
}

/**
 * Splits documents into one memory a passage, with metadata `source` (the path as given), `heading` (enclosing headings)
 * and `passage` (position in the document, from 1). A file that is not text becomes a problem and does not stop the
 * others.
 */
export async function* draftsOfFiles(
  paths: readonly string[],
  defaults: DraftDefaults,
): AsyncGenerator<Draft> {
  for (const path of paths) {
    let document: string;
    try {
      document = await readText(path);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      yield { origin: path, problem: error.message };
      continue;
    }
    yield* draftsOfDocument({ source: nameOf(path), text: document }, defaults);
  }
}

/** The passages of one document; see draftsOfFiles. */
export function draftsOfDocument(
  document: { readonly source: string; readonly text: string },
  defaults: DraftDefaults,
): { readonly origin: string; readonly memory: Memory }[] {
  return splitDocument(document.text).map(({ text, headings, index }) => {
    const heading = headings.length === 0 ? {} : { heading: headings.join(" > ") };
    const metadata = { source: document.source, ...heading, passage: index };
    return {
      origin: `${document.source}, passage ${index}`,
      memory: create(MemorySchema, { text, metadata, ...defaults }),
    };
  });
}

/**
 * Reads JSON lines, each a Memory in protobuf JSON (`userId` and `user_id` both work). The defaults apply to missing
 * fields; their tags are added. An invalid line becomes a problem and does not stop the others. An abort ends the lines.
 */
export async function* draftsOfJsonLines(
  path: string,
  defaults: DraftDefaults,
  signal?: AbortSignal,
): AsyncGenerator<Draft> {
  for await (const { number, text } of readLines(path, signal)) {
    if (text.trim() === "") continue;
    const origin = `${nameOf(path)}, line ${number}`;
    try {
      yield { origin, line: number, memory: withDefaults(memoryOfJson(text), defaults) };
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      yield { origin, line: number, problem: error.message };
    }
  }
}

/**
 * Reads a Memory from its JSON form.
 *
 * @throws UsageError when the text is not JSON, or not a memory.
 */
export function memoryOfJson(text: string): Memory {
  let json: JsonValue;
  try {
    json = JSON.parse(text) as JsonValue;
  } catch (error) {
    throw new UsageError(`not JSON: ${messageOf(error)}`);
  }
  try {
    return fromJson(MemorySchema, json);
  } catch (error) {
    throw new UsageError(`not a memory: ${messageOf(error)}`);
  }
}

function withDefaults(memory: Memory, defaults: DraftDefaults): Memory {
  const base = create(MemorySchema, defaults);
  memory.userId ||= base.userId;
  memory.sessionId ||= base.sessionId;
  memory.author ||= base.author;
  memory.kind ||= base.kind;
  if (memory.importance === undefined && base.importance !== undefined) memory.importance = base.importance;
  for (const time of ["eventTime", "validFrom", "validUntil"] as const) {
    const value = base[time];
    if (memory[time] === undefined && value !== undefined) memory[time] = value;
  }
  if (memory.expiration.case === undefined) memory.expiration = base.expiration;
  memory.tags = [...new Set([...memory.tags, ...base.tags])];
  return memory;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
