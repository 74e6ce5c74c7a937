import { CompactionService } from "#gen/recollect/v1/compaction_pb.js";
import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { CompactionPorts as UseCasePorts } from "../../../services/compaction/ports.ts";
import { type ServedService, serve } from "../../handler.ts";
import { approveCompactionHandler } from "./approve-compaction.ts";
import { cancelCompactionHandler } from "./cancel-compaction.ts";
import { getCompactionHandler } from "./get-compaction.ts";
import { getCompactionPolicyHandler } from "./get-compaction-policy.ts";
import { listCompactionsHandler } from "./list-compactions.ts";
import { startCompactionHandler } from "./start-compaction.ts";
import { undoCompactionHandler } from "./undo-compaction.ts";
import { updateCompactionPolicyHandler } from "./update-compaction-policy.ts";
import { watchCompactionHandler } from "./watch-compaction.ts";

/** The ports of all use cases of CompactionService. */
export type CompactionPorts = UseCasePorts & {
  /** Lets this process work on a run soon. */
  readonly continueRun: (namespaceKey: NamespaceKey, id: string) => void;
};

/** CompactionService. Each handler converts the request, calls one use case, and converts its output. */
export function compactionHandlers(ports: CompactionPorts): ServedService {
  return serve(CompactionService, {
    startCompaction: startCompactionHandler(ports),
    getCompaction: getCompactionHandler(ports),
    listCompactions: listCompactionsHandler(ports),
    watchCompaction: watchCompactionHandler(ports),
    approveCompaction: approveCompactionHandler(ports),
    cancelCompaction: cancelCompactionHandler(ports),
    undoCompaction: undoCompactionHandler(ports),
    getCompactionPolicy: getCompactionPolicyHandler(ports),
    updateCompactionPolicy: updateCompactionPolicyHandler(ports),
  });
}
