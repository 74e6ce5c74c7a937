import { create, fromJson, type JsonValue, type MessageInitShape } from "@bufbuild/protobuf";
import { type Memory, MemorySchema } from "#gen/recollect/v1/memory_pb.js";
import { splitDocument } from "./documents.ts";
import { nameOf, readLines, readText } from "./input.ts";
import { UsageError } from "./usage-error.ts";

/**
 * A memory to be stored, or why one could not be made. `origin` says where it comes from, for messages;
 * empty when that is plain. `line` is its number in a file of lines.
 */
export type Draft = { readonly origin: string; readonly line?: number } & (
  | { readonly memory: Memory }
  | { readonly problem: string }
);

/** What the options of the command say about every memory that does not say it itself. */
export type DraftDefaults = Pick<
  MessageInitShape<typeof MemorySchema>,
  "userId" | "sessionId" | "author" | "kind" | "tags" | "importance" | "expiration"
>;

/** One text as one memory. */
export function draftOfText(text: string, defaults: DraftDefaults): Draft {
  return { origin: "", memory: create(MemorySchema, { text, ...defaults }) };
}

/**
 * Documents as one memory a passage. Metadata says where each stands: `source` (the path as given), `heading`
 * (those it stands under) and `passage` (its place in the document, from 1). A file that is not text becomes a
 * problem; the others go on.
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
 * Lines of JSON, each a Memory as the API spells it in JSON (`userId` and `user_id` both work). The defaults fill
 * what a line leaves out; their tags are added. A line that is not a memory becomes a problem; the others go on.
 * An end from outside is the end of the lines.
 */
export async function* draftsOfJsonLines(
  path: string,
  defaults: DraftDefaults,
  ended?: AbortSignal,
): AsyncGenerator<Draft> {
  for await (const { number, text } of readLines(path, ended)) {
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
  if (memory.expiration.case === undefined) memory.expiration = base.expiration;
  memory.tags = [...new Set([...memory.tags, ...base.tags])];
  return memory;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
