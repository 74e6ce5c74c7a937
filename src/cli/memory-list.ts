import { toJson } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { MemorySchema } from "#gen/recollect/v1/memory_pb.js";
import { connect } from "./client.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import { formatRow } from "./format-memory.ts";
import type { GlobalOptions } from "./global-options.ts";
import { type FilterOptions, toFilter } from "./memory-filter.ts";
import { outputClosed, printPaced } from "./output.ts";

export interface MemoryListOptions extends GlobalOptions, FilterOptions {
  /** Absent: all. */
  readonly limit?: number;
  readonly asOf?: Timestamp;
}

const PAGE_SIZE = 200;

/** Prints memories, newest first, page by page, up to the limit or until the reader closes the pipe. */
export async function memoryList(options: MemoryListOptions): Promise<ExitCode> {
  const clients = connect(options);
  const filter = toFilter(options);
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  let pageToken = "";
  do {
    if (left === 0) break;
    const page = await clients.memory.listMemories({
      namespace: options.namespace,
      ...(filter === undefined ? {} : { filter }),
      pageSize: Math.min(left, PAGE_SIZE),
      pageToken,
      ...(options.asOf === undefined ? {} : { asOf: options.asOf }),
    });
    for (const memory of page.memories) {
      if (outputClosed.aborted) return EXIT_CODE.ok;
      await printPaced(options.json ? JSON.stringify(toJson(MemorySchema, memory)) : formatRow(memory));
    }
    left -= page.memories.length;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return EXIT_CODE.ok;
}
