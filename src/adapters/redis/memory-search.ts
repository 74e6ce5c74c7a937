import { ModelChanged } from "../../domain/embedding/identity.ts";
import { RecollectError } from "../../domain/errors.ts";
import { isExpired } from "../../domain/memory/memory.ts";
import { NOTHING_ASKED } from "../../domain/memory/search-plan.ts";
import type { Scope } from "../../domain/tenancy.ts";
import { clampSimilarity, vectorFromBytes } from "../../domain/vector.ts";
import type { EmbedderIdentity } from "../../ports/embedder.ts";
import type { CandidateFacts, CandidateQuery, Candidates } from "../../ports/memory-store.ts";
import type { Command } from "./client.ts";
import { type MemoryFacts, unpackFacts } from "./memory-facts.ts";
import { type IndexedMemory, type IndexReply, MAX_RESULTS } from "./memory-index.ts";
import { asksForAccess } from "./memory-query.ts";
import { termCounter } from "./memory-terms.ts";
import type { Namespaces } from "./namespaces.ts";
import { asciiOf, bytesOf, listOf, numberOf } from "./replies.ts";
import {
  type IndexNames,
  indexIsMade,
  indexNames,
  isMissingIndex,
  type VectorIndexOptions,
  vectorField,
} from "./schema.ts";
import { type SearchAnswer, SearchQuestion } from "./search-question.ts";
import type { SeenNumbers } from "./seen-numbers.ts";
import type { VectorModel } from "./vector-model.ts";

export interface MemorySearchOptions {
  readonly namespaces: Namespaces;
  readonly model: VectorModel;
  readonly indexes: IndexNames;
  readonly vectors: VectorIndexOptions;
  readonly seen: SeenNumbers;
  /** Removes what has ended at this moment in the partition of the namespace, all of it. */
  readonly sweep: (scope: Scope, now: number) => Promise<void>;
  /** An index was asked and is not there. */
  readonly missing: (scope: Scope) => void;
  /** Answers a query whose filter asks for what no index holds. */
  readonly walk: (scope: Scope, query: CandidateQuery, now: number) => Promise<Candidates>;
}

const NOTHING: Candidates = {
  nearest: [],
  containing: [],
  corpus: { documentCount: 0, meanLength: 0, documentFrequencies: new Map() },
  plan: NOTHING_ASKED,
};

/**
 * A question is put again when counters have changed since they were seen, and when ended memories stood in the way;
 * more often only where everything changes all the time, and then what was found last is answered.
 */
const MAX_ROUNDS = 5;

/** Memories that a search goes through when there is no index; of larger namespaces it says to come again. */
const MAX_WALK = 5000;

/** Candidates of both arms, from the index. */
export class MemorySearch {
  readonly #options: MemorySearchOptions;

  constructor(options: MemorySearchOptions) {
    this.#options = options;
  }

  /** See MemoryStore.search. */
  async search(scope: Scope, wanted: CandidateQuery, now: number): Promise<Candidates> {
    if (wanted.vector !== undefined) this.#options.model.check(wanted.model);
    if (asksForAccess(wanted.filter)) return this.#options.walk(scope, wanted, now);
    const query = { ...wanted, limit: Math.min(wanted.limit, MAX_RESULTS) };
    try {
      return await this.#searchIndex(scope, query, now);
    } catch (error) {
      if (!isMissingIndex(error)) throw error;
      this.#options.missing(scope);
      return this.#withoutIndex(scope, query, now);
    }
  }

  async #searchIndex(scope: Scope, query: CandidateQuery, now: number): Promise<Candidates> {
    let asked = 0;
    for (let round = 1; ; round += 1) {
      const answer = await this.#ask(scope, query, () => {
        asked += 1;
      });
      if (answer === undefined) return NOTHING;
      const nearest = answer.nearest.found.map(withFacts);
      const containing = answer.containing.found.map(withFacts);
      const hidden = [nearest, containing].some(
        (found) => found.length === query.limit && found.some((one) => hasEnded(one, now)),
      );
      if ((answer.isSettled && !hidden) || round === MAX_ROUNDS) {
        const isAlive = (one: FoundMemory): boolean => !hasEnded(one, now);
        return {
          ...candidatesOf(nearest.filter(isAlive), containing.filter(isAlive), query, answer),
          plan: { ...answer.plan, rounds: asked },
        };
      }
      if (hidden) await this.#options.sweep(scope, now);
    }
  }

  /** The same answer from the memories themselves, as long as they are not so many that all searches would wait. */
  async #withoutIndex(scope: Scope, query: CandidateQuery, now: number): Promise<Candidates> {
    const counts = await this.#options.namespaces.pipeline(scope, ({ counters }) => [
      ["HGET", counters, "memories"],
    ]);
    if (counts !== undefined && numberOf(counts[0]) > MAX_WALK) throw indexIsMade();
    return this.#options.walk(scope, query, now);
  }

  /** See MemoryStore.vectors. */
  async vectors(
    scope: Scope,
    ids: readonly string[],
    model?: EmbedderIdentity,
  ): Promise<(Float32Array | undefined)[]> {
    for (let round = 1; round <= MAX_ROUNDS; round += 1) {
      this.#options.model.check(model);
      const { generation } = this.#options.model;
      const replies = await this.#options.namespaces.pipeline(scope, (namespace) => [
        ["HGET", namespace.partition.meta, "generation"],
        ...ids.map((id): Command => ["HGET", namespace.memory(id), vectorField(generation)]),
      ]);
      if (replies === undefined) return ids.map(() => undefined);
      const [current, ...vectors] = replies;
      if (numberOf(current) === generation) {
        return vectors.map((reply) => {
          const bytes = bytesOf(reply);
          return bytes === undefined ? undefined : vectorFromBytes(bytes);
        });
      }
      await this.#options.model.refresh();
    }
    throw new ModelChanged();
  }

  /** Undefined: there is no such namespace. */
  async #ask(scope: Scope, query: CandidateQuery, onRound: () => void): Promise<SearchAnswer | undefined> {
    const { namespaces, indexes, model, seen, vectors } = this.#options;
    const index = indexNames(indexes, namespaces.keys, namespaces.partition(scope)).memories;
    const { generation } = model;
    for (;;) {
      onRound();
      let asked: SearchQuestion | undefined;
      const replies = await this.#unlessModelChanged(() =>
        namespaces.pipeline(scope, (namespace) => {
          asked = new SearchQuestion(query, namespace, { seen, vectors });
          return asked.needsSizes ? asked.sizes(index) : asked.commands(index, generation);
        }),
      );
      if (replies === undefined || asked === undefined) return undefined;
      if (asked.needsSizes) {
        asked.readSizes(replies);
        continue;
      }
      const answer = asked.read(replies);
      if (query.vector === undefined || answer.generation === generation) return this.#whole(scope, answer);
      await model.refresh();
      throw new ModelChanged();
    }
  }

  /**
   * RediSearch reads no field of a key with a zero byte, which no memory has that came through the API; nor of a memory
   * that went in between. They are read by themselves, and dropped if they are gone.
   */
  async #whole(scope: Scope, answer: SearchAnswer): Promise<SearchAnswer> {
    const { nearest, containing } = answer;
    const isBare = ({ fields }: IndexedMemory): boolean => !fields.has("facts");
    const bare = [...nearest.found, ...containing.found].filter(isBare).map(({ id }) => id);
    if (bare.length === 0) return answer;
    const names = ["facts", "terms"];
    const replies = await this.#options.namespaces.pipeline(scope, (namespace) =>
      bare.map((id): Command => ["HMGET", namespace.memory(id), ...names]),
    );
    const read = new Map(
      bare.map((id, at) => {
        const values = replies === undefined ? [] : listOf(replies[at]);
        return [
          id,
          names.flatMap((name, nth) => (values[nth] == null ? [] : [[name, values[nth]] as const])),
        ];
      }),
    );
    const whole = (arm: IndexReply): IndexReply => ({
      total: arm.total,
      found: arm.found
        .map((one) => ({
          id: one.id,
          fields: isBare(one)
            ? new Map([["distance", one.fields.get("distance") ?? null], ...(read.get(one.id) ?? [])])
            : one.fields,
        }))
        .filter((one) => !isBare(one)),
    });
    return { ...answer, nearest: whole(nearest), containing: whole(containing) };
  }

  /** An index does not know the field of a generation that is no longer, or not yet, its own, and says just that. */
  async #unlessModelChanged<T>(ask: () => Promise<T>): Promise<T> {
    const { model } = this.#options;
    const { generation } = model;
    try {
      return await ask();
    } catch (error) {
      if (error instanceof RecollectError) throw error;
      await model.refresh();
      if (model.generation !== generation) throw new ModelChanged();
      throw error;
    }
  }
}

/** A memory that an index has found. */
interface FoundMemory extends IndexedMemory {
  readonly facts: MemoryFacts;
}

function withFacts({ id, fields }: IndexedMemory): FoundMemory {
  return { id, fields, facts: unpackFacts(fields.get("facts")) };
}

function hasEnded({ facts: { expireTime } }: FoundMemory, now: number): boolean {
  return expireTime !== undefined && isExpired({ expireTime }, now);
}

function candidatesOf(
  nearest: readonly FoundMemory[],
  containing: readonly FoundMemory[],
  query: CandidateQuery,
  { chosen, corpus }: SearchAnswer,
): Omit<Candidates, "plan"> {
  const count = termCounter(query.terms ?? []);
  return {
    nearest: nearest.map((one) => ({
      ...candidateOf(one),
      similarity: clampSimilarity(1 - numberOf(one.fields.get("distance"))),
    })),
    containing: containing.flatMap((one) => {
      const document = count(asciiOf(one.fields.get("terms")) ?? "");
      if (!chosen.some((term) => document.frequencies.has(term))) return [];
      return [{ ...candidateOf(one), document }];
    }),
    corpus,
  };
}

function candidateOf({ id, facts: { time, importance } }: FoundMemory): CandidateFacts {
  return { id, time, importance };
}
