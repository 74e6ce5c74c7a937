import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { ModelChanged } from "../../../domain/embedding/identity.ts";
import { vectorFromBytes } from "../../../domain/embedding/vector.ts";
import { EMPTY_PLAN } from "../../../domain/memory/search-plan.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";
import type { CandidateQuery, CandidateSearch, Candidates } from "../../../ports/memory/search.ts";
import type { Command, RedisClient, Reply } from "../connection/client.ts";
import { bytesOf, listOf, numberOf } from "../connection/replies.ts";
import { defineScript, list } from "../connection/script.ts";
import { unlessModelChanged, withCurrentModel } from "../indexes/model-retry.ts";
import {
  type IndexNames,
  indexIsMade,
  indexNames,
  isMissingIndex,
  type VectorIndexOptions,
  vectorField,
} from "../indexes/schema.ts";
import type { VectorModel } from "../indexes/vector-model.ts";
import { type NamespaceRedisKeys, scopeName } from "../namespaces/keys.ts";
import { MAX_NAMESPACE_RETRIES, type Namespaces, namespaceIsChanging } from "../namespaces/namespace-ids.ts";
import { defineNamespaceScript, MODEL_CHANGED, orModelChanged } from "../namespaces/namespace-script.ts";
import { MAX_RESULTS } from "./commands.ts";
import type { CounterCache } from "./counter-cache.ts";
import { asksForAccess } from "./query.ts";
import {
  type PlannedSearch,
  planSearch,
  readCounters,
  type SearchAnswer,
  type SearchCounters,
} from "./search-plan.ts";

const VECTORS = defineNamespaceScript({
  file: new URL("./read-vectors.lua", import.meta.url),
  effect: "reads",
  keys: ["meta", list("memoryKeys")],
  arguments: ["generation", "field"],
  reply: orModelChanged((reply) => listOf(listOf(reply)[1]).map(vectorIn)),
});
const COUNTERS = defineScript({
  file: new URL("./read-counters.lua", import.meta.url),
  effect: "reads",
  keys: ["namespaces", "meta", "counters", "documentFrequencies", "sizes"],
  arguments: ["namespaceName", list("terms"), list("tokens")],
  reply: readCounters,
});

function vectorIn(reply: Reply): Float32Array | undefined {
  const bytes = bytesOf(reply);
  return bytes === undefined ? undefined : vectorFromBytes(bytes);
}

export interface MemorySearchOptions {
  readonly client: RedisClient;
  readonly namespaces: Namespaces;
  readonly model: VectorModel;
  readonly indexes: IndexNames;
  readonly vectors: VectorIndexOptions;
  readonly counters: CounterCache;
  /** Removes the expired memories of the partition of the namespace. */
  readonly sweep: (scope: NamespaceKey, now: number) => Promise<void>;
  /** Called when there is no index. */
  readonly missing: (scope: NamespaceKey) => void;
  /** Whether the index can answer `as_of`. */
  readonly hasHistory: (scope: NamespaceKey) => boolean;
  /** Searches without an index: for filters that no index supports, or when there is none. */
  readonly walk: (scope: NamespaceKey, query: CandidateQuery, now: number) => Promise<Candidates>;
}

const NOTHING: Candidates = {
  byVector: [],
  byKeyword: [],
  corpus: { documentCount: 0, meanLength: 0, documentFrequencies: new Map() },
  plan: EMPTY_PLAN,
};

/**
 * Rounds of a search. It is repeated when the cached counters were stale, and when expired memories crowded out others;
 * further rounds are needed only under constant changes, and then the last result is returned.
 */
const MAX_ROUNDS = 5;

/** Size of the namespaces that are searched without an index; in larger ones search is unavailable until it is rebuilt. */
const MAX_WALK = 5000;

/** Candidates of both retrievers, from the index. */
export class MemorySearch implements CandidateSearch {
  readonly #options: MemorySearchOptions;

  constructor(options: MemorySearchOptions) {
    this.#options = options;
  }

  async search(scope: NamespaceKey, wanted: CandidateQuery, now: number): Promise<Candidates> {
    if (wanted.vector !== undefined) this.#options.model.check(wanted.model);
    if (asksForAccess(wanted.filter)) return this.#options.walk(scope, wanted, now);
    const query = { ...wanted, limit: Math.min(wanted.limit, MAX_RESULTS) };
    if (wanted.filter.asOf !== undefined && !this.#options.hasHistory(scope)) {
      return this.#withoutIndex(scope, query, now);
    }
    try {
      return await this.#searchIndex(scope, query, now);
    } catch (error) {
      if (!isMissingIndex(error)) throw error;
      this.#options.missing(scope);
      return this.#withoutIndex(scope, query, now);
    }
  }

  async #searchIndex(scope: NamespaceKey, query: CandidateQuery, now: number): Promise<Candidates> {
    let asked = 0;
    for (let round = 1; ; round += 1) {
      const answer = await this.#ask(scope, query, now, () => {
        asked += 1;
      });
      if (answer === undefined) return NOTHING;
      const { vector, keyword } = answer;
      const hidden = [vector, keyword].some(({ found, expired }) => found === query.limit && expired > 0);
      if ((answer.isSettled && !hidden) || round === MAX_ROUNDS) {
        return {
          byVector: vector.candidates,
          byKeyword: keyword.candidates,
          corpus: answer.corpus,
          plan: { ...answer.plan, rounds: asked },
        };
      }
      if (hidden) await this.#options.sweep(scope, now);
    }
  }

  /** The same result by a scan, in namespaces small enough not to block other searches. */
  async #withoutIndex(scope: NamespaceKey, query: CandidateQuery, now: number): Promise<Candidates> {
    const counts = await this.#options.namespaces.pipeline(scope, ({ counters }) => [
      ["HGET", counters, "memories"],
    ]);
    if (counts !== undefined && numberOf(counts[0]) > MAX_WALK) throw indexIsMade();
    return this.#options.walk(scope, query, now);
  }

  async vectors(
    scope: NamespaceKey,
    ids: readonly string[],
    model?: EmbedderIdentity,
  ): Promise<(Float32Array | undefined)[]> {
    const { namespaces, model: current } = this.#options;
    const read = async () => {
      current.check(model);
      const { generation } = current;
      return namespaces.run(scope, {
        script: VECTORS,
        input: (namespace) => ({
          meta: namespace.partition.meta,
          memoryKeys: ids.map((id) => namespace.memory(id)),
          generation,
          field: vectorField(generation),
        }),
      });
    };
    const vectors = await withCurrentModel(current, read, { failure: () => new ModelChanged() });
    return vectors ?? ids.map(() => undefined);
  }

  /** Undefined: there is no such namespace. */
  async #ask(
    scope: NamespaceKey,
    query: CandidateQuery,
    now: number,
    onRound: () => void,
  ): Promise<SearchAnswer | undefined> {
    const { namespaces, indexes, model, counters: cache, vectors } = this.#options;
    const index = indexNames(indexes, namespaces.keys, namespaces.partition(scope)).memories;
    const { generation } = model;
    for (let tries = 0; tries < MAX_NAMESPACE_RETRIES; tries += 1) {
      onRound();
      const namespace = await namespaces.find(scope);
      if (namespace === undefined) return undefined;
      const known = cache.of(namespace.namespaceId);
      const plan = planSearch(query, { namespace, counters: known, vectors, index, generation });
      const sent = await unlessModelChanged(model, () => this.#send(scope, namespace, plan));
      if (sent === MODEL_CHANGED) throw new ModelChanged();
      const { counters, replies } = sent;
      // The cached namespaceId is stale.
      if (counters.namespaceId !== namespace.namespaceId) {
        namespaces.correct(scope, counters.namespaceId);
        continue;
      }
      const { updates, answer } = plan.read(replies, counters, now);
      cache.update(namespace.namespaceId, updates);
      if (answer === undefined) continue;
      if (query.vector === undefined || counters.generation === generation) {
        await this.#complete(scope, answer);
        return answer;
      }
      await model.refresh();
      throw new ModelChanged();
    }
    throw namespaceIsChanging();
  }

  /**
   * Sends the commands of a plan, followed in the same round trip by a read of the counters that verify it.
   */
  async #send(
    scope: NamespaceKey,
    { partition, counters, documentFrequencies, sizes }: NamespaceRedisKeys,
    { commands, terms, tokens }: PlannedSearch,
  ): Promise<{ readonly counters: SearchCounters; readonly replies: readonly Reply[] }> {
    const { client } = this.#options;
    const searches = commands.map((command) => client.command(...command));
    const { namespaces, meta } = partition;
    const read = client.run(COUNTERS, {
      ...{ namespaces, meta, counters, documentFrequencies, sizes },
      ...{ namespaceName: scopeName(scope), terms, tokens },
    });
    const [counted, replies] = await Promise.all([read, Promise.all(searches)]);
    return { counters: counted, replies };
  }

  /**
   * RediSearch returns no fields for a key with a zero byte, which no memory from the API has, and none for a memory that
   * was deleted during the search. These are read by id, and dropped if they were deleted.
   */
  async #complete(scope: NamespaceKey, { vector, keyword }: SearchAnswer): Promise<void> {
    const ids = [...new Set([...vector.incomplete.keys(), ...keyword.incomplete.keys()])];
    if (ids.length === 0) return;
    const names = ["facts", "terms"];
    const replies = await this.#options.namespaces.pipeline(scope, (namespace) =>
      ids.map((id): Command => ["HMGET", namespace.memory(id), ...names]),
    );
    for (const [at, id] of ids.entries()) {
      const [facts, terms] = replies === undefined ? [] : listOf(replies[at]);
      for (const matches of [vector, keyword]) matches.complete(id, facts, terms);
    }
    vector.candidates.sort((a, b) => b.similarity - a.similarity);
  }
}
