// A process that applies the groups of a run one by one, and writes `applied <number>` after each; to be killed.
// Arguments: the address of a Redis and the prefix of its keys, or the directory of an embedded store.

import { openEmbeddedBackend } from "../../src/adapters/embedded/backend.ts";
import { openRedisBackend } from "../../src/adapters/redis/backend.ts";
import { connectionOf } from "../../src/app/redis-connection.ts";
import type { CompactionGroup } from "../../src/domain/compaction/group.ts";
import { etagOf, recordOf, type StoredMemory } from "../../src/domain/memory/memory.ts";
import { superseded } from "../../src/domain/memory/supersession.ts";
import type { Backend } from "../../src/ports/backend.ts";
import type { StoredRun } from "../../src/ports/compaction/compaction-store.ts";
import { newMemory } from "./builders.ts";
import { quiet } from "./quiet.ts";
import { settingsOf } from "./redis/backend.ts";

export const SCOPE = { tenant: "t", namespace: "n" };
export const RUN = "run-1";
const MODEL = { provider: "test", model: "random", dimension: 8 };

export async function openBackend(place: string, prefix?: string): Promise<Backend> {
  if (prefix === undefined) return openEmbeddedBackend({ directory: place, embedder: MODEL, ...quiet });
  return openRedisBackend({
    connection: await connectionOf(settingsOf(place)),
    prefix,
    partitions: 1,
    indexes: { memories: `${prefix}memories`, cache: `${prefix}cache` },
    vectors: { algorithm: "HNSW", hnsw: { m: 16, efConstruction: 200, efRuntime: 10 } },
    embedder: MODEL,
    ...quiet,
  });
}

/**
 * Applies the planned groups of the run. Each has a member m<number>, which becomes SUPERSEDED by the survivor s<number>, which
 * gets a tag, and a summary c<number>, which is created. What was applied before is left alone.
 */
async function apply({ compactions, memories }: Backend, onApplied: (number: number) => void): Promise<void> {
  const now = Date.now();
  // Given back at once: the next process need not wait.
  const lease = await compactions.claim(SCOPE, RUN, { owner: `process ${process.pid}`, now, until: now });
  const stored = await compactions.get(SCOPE, RUN);
  if (lease === undefined || stored === undefined) throw new Error("there is no run");
  let { run, version }: StoredRun = stored;
  for (const group of await compactions.groups(SCOPE, RUN, { after: 0, limit: 1000, maxBytes: 1e9 })) {
    if (group.state !== "PLANNED") continue;
    const next = { ...run, doneGroups: run.doneGroups + 1 };
    const ids = [...group.members.map(({ id }) => id), group.survivor?.id ?? ""];
    const found = (await memories.reader.get(SCOPE, ids, now)) as StoredMemory[];
    const write = { run: next, version, groups: [applied(group)], changes: changesOf(group, found, now) };
    const conflicts = await compactions.write(SCOPE, lease, write, { now });
    if (conflicts.length > 0) throw new Error(`${conflicts.join()} changed`);
    [run, version] = [next, version + 1];
    onApplied(group.number);
  }
}

function applied(group: CompactionGroup): CompactionGroup {
  return { ...group, state: "APPLIED" };
}

function changesOf({ number }: CompactionGroup, [member, survivor]: StoredMemory[], now: number) {
  if (member === undefined || survivor === undefined) throw new Error("a memory is missing");
  const content = { ...recordOf(survivor), tags: ["merged"], updateTime: now };
  return {
    expected: [member, survivor].map(({ id, etag }) => ({ id, etag })),
    put: [superseded(recordOf(member), survivor.id, now), { ...content, etag: etagOf(content) }],
    create: [newMemory({ id: `c${number}`, kind: "SUMMARY" })],
    remove: [],
  };
}

if (import.meta.main) {
  const [place = "", prefix] = process.argv.slice(2);
  await using backend = await openBackend(place, prefix);
  await apply(backend, (number) => process.stdout.write(`applied ${number}\n`));
  process.stdout.write("done\n");
}
