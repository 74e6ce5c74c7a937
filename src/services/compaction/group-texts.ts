import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { CompactionGroup } from "../../domain/compaction/group.ts";
import type { Clock } from "../../ports/clock.ts";
import type { MemoryReader } from "../../ports/memory/reader.ts";

/** A group with the texts of its memories, by their ids; without those that do not exist any more or may not be seen. */
export interface GroupTexts {
  readonly group: CompactionGroup;
  readonly texts: ReadonlyMap<string, string>;
}

/** Memories read at once. */
const READ_AT_ONCE = 100;
/** Upper bounds of what a group and a member take in a response without texts. */
const GROUP_BYTES = 1024;
const MEMBER_BYTES = 256;

/**
 * The first groups that fit into so many bytes, with their texts; at least one. Of a group that does not fit alone, the last
 * texts are left out.
 */
export async function readTexts(
  ports: { readonly memories: { readonly reader: Pick<MemoryReader, "get"> }; readonly clock: Clock },
  namespaceKey: NamespaceKey,
  groups: readonly CompactionGroup[],
  { shown, maxBytes }: { readonly shown: boolean; readonly maxBytes: number },
): Promise<GroupTexts[]> {
  const fitting: GroupTexts[] = [];
  let bytes = 0;
  for (const group of groups) {
    const texts = new Map<string, string>();
    let size = GROUP_BYTES + MEMBER_BYTES * (group.members.length + 1);
    const read = shown ? await textsOf(ports, namespaceKey, group) : [];
    for (const [id, text] of read) {
      const length = Buffer.byteLength(text);
      if (fitting.length === 0 && size + length > maxBytes) break;
      size += length;
      texts.set(id, text);
    }
    bytes += size;
    if (fitting.length > 0 && bytes > maxBytes) break;
    fitting.push({ group, texts });
  }
  return fitting;
}

/**
 * The texts as they are stored now. That of a summary which is planned comes from the plan, as long as its sources are those
 * that were planned: it may say what an erased source said.
 */
async function textsOf(
  {
    memories,
    clock,
  }: { readonly memories: { readonly reader: Pick<MemoryReader, "get"> }; readonly clock: Clock },
  namespaceKey: NamespaceKey,
  { members, survivor, summary }: CompactionGroup,
): Promise<(readonly [string, string])[]> {
  const named = [...(survivor === undefined ? [] : [survivor]), ...members];
  const ids = [...(summary === undefined ? [] : [summary.id]), ...named.map(({ id }) => id)];
  const texts: (readonly [string, string])[] = [];
  const etags = new Map<string, string>();
  for (let at = 0; at < ids.length; at += READ_AT_ONCE) {
    const read = await memories.reader.get(namespaceKey, ids.slice(at, at + READ_AT_ONCE), clock.now());
    for (const memory of read) {
      if (memory === undefined) continue;
      texts.push([memory.id, memory.text]);
      etags.set(memory.id, memory.etag);
    }
  }
  const isAsPlanned = members.every(({ id, etag }) => etags.get(id) === etag);
  if (summary === undefined || summary.text === "" || !isAsPlanned) return texts;
  return [[summary.id, summary.text], ...texts.filter(([id]) => id !== summary.id)];
}
