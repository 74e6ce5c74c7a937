import { toJson } from "@bufbuild/protobuf";
import {
  type ListMemoryRevisionsResponse_Revision as Revision,
  ListMemoryRevisionsResponse_RevisionSchema as RevisionSchema,
} from "#gen/recollect/v1/memory_pb.js";
import { type Clients, connect } from "./client.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import { formatHistory } from "./format-history.ts";
import type { GlobalOptions } from "./global-options.ts";
import { outputClosed, printPaced } from "./output.ts";

/** Prints the versions of a memory, newest first. */
export async function memoryHistory(id: string, options: GlobalOptions): Promise<ExitCode> {
  const { namespace, json } = options;
  const { memory: client } = connect(options);
  const revisions = await allRevisions(client, { namespace, id });
  const { memory } = await client.getMemory({ namespace, id });
  const lines = json
    ? revisions.map((revision) => JSON.stringify(toJson(RevisionSchema, revision)))
    : formatHistory(memory, revisions);
  for (const line of lines) {
    if (outputClosed.aborted) break;
    await printPaced(line);
  }
  return EXIT_CODE.ok;
}

async function allRevisions(
  client: Clients["memory"],
  of: { readonly namespace: string; readonly id: string },
): Promise<readonly Revision[]> {
  const found: Revision[] = [];
  let pageToken = "";
  do {
    const page = await client.listMemoryRevisions({ ...of, pageToken });
    found.push(...page.revisions);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return found;
}
