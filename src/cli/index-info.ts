import { toJson } from "@bufbuild/protobuf";
import { type IndexInfo, IndexInfo_Content, IndexInfoSchema } from "#gen/recollect/v1/operations_pb.js";
import { connect } from "./client.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import { formatFields } from "./format-fields.ts";
import type { GlobalOptions } from "./global-options.ts";
import { print } from "./output.ts";

/** Prints the state of each search index. */
export async function indexInfo(options: GlobalOptions): Promise<ExitCode> {
  const { indexes } = await connect(options).operations.getIndexInfo({});
  for (const index of indexes) {
    if (options.json) print(JSON.stringify(toJson(IndexInfoSchema, index, { alwaysEmitImplicit: true })));
    else for (const line of formatIndexInfo(index)) print(line);
  }
  return EXIT_CODE.ok;
}

function formatIndexInfo(index: IndexInfo): string[] {
  const number = new Intl.NumberFormat("en");
  const content = IndexInfo_Content[index.content].toLowerCase().replaceAll("_", " ");
  return formatFields([
    ["index", `${index.name} (${content})`],
    ["documents", number.format(index.documentCount)],
    ["failures", number.format(index.failureCount)],
    ["memory bytes", number.format(index.memoryBytes)],
    ["indexed", `${(index.indexedFraction * 100).toFixed(1)} %`],
    ["algorithm", index.algorithm],
    ["dimension", index.dimension === 0 ? "" : String(index.dimension)],
  ]);
}
