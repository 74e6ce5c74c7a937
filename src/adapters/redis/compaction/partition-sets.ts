import type { ChangedScope, CompactionStore, EndedRun } from "../../../ports/compaction/compaction-store.ts";
import type { RedisClient } from "../connection/client.ts";
import { type Keys, namespaceKeyOf, type PartitionKeys } from "../namespaces/keys.ts";
import { LIST_CHANGED_SCOPES, LIST_OF_PARTITION } from "./scripts.ts";

/** What of all namespaces waits for a compaction: sets that each partition has. */
export class PartitionSets {
  readonly #client: RedisClient;
  readonly #keys: Keys;

  constructor(client: RedisClient, keys: Keys) {
    this.#client = client;
    this.#keys = keys;
  }

  async unfinished({ now, limit }: { readonly now: number; readonly limit: number }) {
    const runs = await this.#ofEach((partition) =>
      this.#client.run(LIST_OF_PARTITION, {
        ...namesOf(partition),
        runs: partition.unfinishedCompactions,
        min: "-inf",
        max: now,
        ...{ afterId: "", limit },
      }),
    );
    return runs
      .sort((a, b) => a.score - b.score)
      .slice(0, limit)
      .map(({ name, id }) => ({ namespaceKey: namespaceKeyOf(name), id }));
  }

  async ended({
    after,
    before,
    limit,
  }: Parameters<CompactionStore["ended"]>[0]): Promise<readonly EndedRun[]> {
    const runs = await this.#ofEach((partition) =>
      this.#client.run(LIST_OF_PARTITION, {
        ...namesOf(partition),
        runs: partition.endedCompactions,
        min: after?.endTime ?? "-inf",
        max: `(${before}`,
        ...{ afterId: after?.id ?? "", limit },
      }),
    );
    return runs
      .sort((a, b) => a.score - b.score || (a.id < b.id ? -1 : 1))
      .slice(0, limit)
      .map(({ name, id, score }) => ({ namespaceKey: namespaceKeyOf(name), id, endTime: score }));
  }

  async changedScopes({
    since,
    changes,
    limit,
  }: Parameters<CompactionStore["changedScopes"]>[0]): Promise<readonly ChangedScope[]> {
    const scopes = await this.#ofEach((partition) =>
      this.#client.run(LIST_CHANGED_SCOPES, {
        ...namesOf(partition),
        changedScopes: partition.changedScopes,
        changedScopeCounts: partition.changedScopeCounts,
        ...{ since, minChanges: changes, limit },
      }),
    );
    const due = scopes.filter((one) => one.since <= since).sort((a, b) => a.since - b.since);
    const often = scopes.filter((one) => one.since > since).sort((a, b) => b.changes - a.changes);
    return [...due, ...often]
      .slice(0, limit)
      .map(({ name, ...scope }): ChangedScope => ({ namespaceKey: namespaceKeyOf(name), ...scope }));
  }

  /** Asks every partition at once. */
  async #ofEach<Found>(read: (partition: PartitionKeys) => Promise<Found[]>): Promise<Found[]> {
    return (await Promise.all(this.#keys.all().map(read))).flat();
  }
}

function namesOf({ namespaces, names }: PartitionKeys) {
  return { namespaces, namespaceNames: names };
}
