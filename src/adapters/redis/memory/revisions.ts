import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { MemoryRevision, RevisedMemory } from "../../../domain/memory/revision.ts";
import type { MemoryRevisions, RevisionPage, RevisionQuery } from "../../../ports/memory/revisions.ts";
import type { Reply } from "../connection/client.ts";
import { bytesOf, isText, listOf, numberOf } from "../connection/replies.ts";
import { defineLibrary } from "../connection/script.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { defineNamespaceScript } from "../namespaces/namespace-script.ts";
import { unpackRecord } from "../namespaces/records.ts";
import { MEMORY, memoryKeys } from "./rows.ts";

/** Lua functions that keep what is replaced. */
export const REVISIONS = defineLibrary({
  file: new URL("./revision-library.lua", import.meta.url),
  keys: ["memoryPrefix", "revisionsPrefix"],
  arguments: ["maxRevisions"],
});

interface ReadRevisions {
  readonly position: number;
  /** Alternating numbers and values. */
  readonly found: readonly Reply[];
  readonly more: boolean;
}

const LIST = defineNamespaceScript({
  file: new URL("./list-revisions.lua", import.meta.url),
  libraries: [MEMORY],
  effect: "reads",
  arguments: ["id", "before", "limit", "maxBytes", "now"],
  reply: (reply): ReadRevisions | undefined => {
    const [word, position, found, more] = listOf(reply);
    if (isText(word, "MISSING")) return undefined;
    return { position: numberOf(position), found: listOf(found), more: numberOf(more) === 1 };
  },
});

/** Reads revisions of memories; bytes are those that are stored, compressed or not. */
export class RedisMemoryRevisions implements MemoryRevisions {
  readonly #namespaces: Namespaces;

  constructor(namespaces: Namespaces) {
    this.#namespaces = namespaces;
  }

  async list(
    scope: NamespaceKey,
    id: string,
    { before, limit, maxBytes, now }: RevisionQuery,
  ): Promise<RevisionPage | undefined> {
    const read = await this.#namespaces.run(scope, {
      script: LIST,
      input: (namespace) => ({
        ...memoryKeys(namespace),
        ...{ id, before: before ?? "", limit, maxBytes, now },
      }),
    });
    if (read === undefined) return undefined;
    const { position, found, more } = read;
    const revisions: MemoryRevision[] = [];
    for (let at = 0; at + 1 < found.length; at += 2) {
      revisions.push(revisionOf(id, position, numberOf(found[at]), found[at + 1]));
    }
    return { revisions, more };
  }
}

const SPACE = 0x20;

/** Parses `<replace time> <record>`. Throws STORE_CORRUPT. */
function revisionOf(
  id: string,
  sessionPosition: number,
  number: number,
  value: Reply | undefined,
): MemoryRevision {
  const stored = bytesOf(value) ?? Buffer.of();
  const end = stored.indexOf(SPACE);
  const record = unpackRecord<Omit<RevisedMemory, "sessionPosition">>(
    stored.subarray(end + 1),
    `revision ${number} of memory ${id}`,
  );
  const replaceTime = Number(stored.toString("latin1", 0, end));
  return { number, replaceTime, memory: { ...record, sessionPosition } };
}
