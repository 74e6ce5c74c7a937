import { namespaceKeyOf } from "../../domain/access/tenancy.ts";
import { hasEnded } from "../../domain/compaction/run.ts";
import { openPageToken, sealPageToken } from "../../domain/page-token.ts";
import { canonicalJson } from "../../lib/json.ts";
import type { CompactionStore, StoredRun } from "../../ports/compaction/compaction-store.ts";
import type { Sleep } from "../../ports/sleep.ts";
import type { CallContext } from "../call.ts";
import { existingRun } from "./read-compactions.ts";

/** How often the run is read. */
const POLL_MS = 200;

/**
 * The run each time that it has changed, with the token that continues after it, until it has ended or awaits approval.
 * Changes that follow each other faster than it is read come as one. Rejects with COMPACTION_NOT_FOUND, also when the run is
 * deleted meanwhile, and with PAGE_TOKEN_INVALID.
 */
export async function* watchCompaction(
  { store, sleep }: { readonly store: Pick<CompactionStore, "get">; readonly sleep: Sleep },
  input: {
    readonly namespace: string;
    readonly id: string;
    /** Empty: from the present state. */
    readonly resumeToken: string;
  },
  context: CallContext,
): AsyncGenerator<{ readonly stored: StoredRun; readonly resumeToken: string }> {
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const request = canonicalJson(["watch", namespaceKey.tenant, namespaceKey.namespace, input.id]);
  let seen =
    input.resumeToken === "" ? 0 : openPageToken(input.resumeToken, request, "resume_token").createTime;
  let isOver = false;
  while (!isOver) {
    context.signal.throwIfAborted();
    const stored = await existingRun(store, namespaceKey, input.id);
    const { run, version } = stored;
    if (version > seen) {
      seen = version;
      yield { stored, resumeToken: sealPageToken({ createTime: version, id: run.id }, request) };
    }
    isOver = hasEnded(run.state) || run.state === "AWAITING_APPROVAL";
    if (!isOver) await sleep(POLL_MS, context.signal);
  }
}
