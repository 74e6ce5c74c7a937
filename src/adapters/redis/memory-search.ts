import { ModelChanged } from "../../domain/embedding/identity.ts";
import { RecollectError } from "../../domain/errors.ts";
import { isExpired } from "../../domain/memory/memory.ts";
import { NOTHING_ASKED } from "../../domain/memory/search-plan.ts";
import type { Scope } from "../../domain/tenancy.ts";
import { clampSimilarity, vectorFromBytes } from "../../domain/vector.ts";
import type { EmbedderIdentity } from "../../ports/embedder.ts";
import type { CandidateQuery, Candidates } from "../../ports/memory-store.ts";
import type { Command, RedisClient, Reply } from "./client.ts";
import { FewAtOnce } from "./few-at-once.ts";
import { type MemoryFacts, unpackFacts } from "./memory-facts.ts";
import { type IndexedMemory, type IndexReply, MAX_RESULTS } from "./memory-index.ts";
import { asksForAccess } from "./memory-query.ts";
import { termCounter } from "./memory-terms.ts";
import type { Namespaces } from "./namespaces.ts";
import { asciiOf, bytesOf, listOf, numberOf, textOf } from "./replies.ts";
import {
  type IndexNames,
  indexIsMade,
  indexNames,
  isMissingIndex,
  type VectorIndexOptions,
  vectorField,
} from "./schema.ts";
import { readScript } from "./script.ts";
import { readCounters, type SearchAnswer, type SearchCounters, SearchQuestion } from "./search-question.ts";
import type { SeenNumbers } from "./seen-numbers.ts";
import type { VectorModel } from "./vector-model.ts";

const VECTORS = readScript("read-vectors", { libraries: ["namespace"], effect: "reads" });
const COUNTERS = readScript("read-counters", { effect: "reads" });

export interface MemorySearchOptions {
  readonly client: RedisClient;
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

/**
 * Searches that are under way in Redis at most. It answers a connection in order, and a search holds its one thread up for a
 * millisecond or more: what comes behind the searches, such as an exact lookup, waits for no more than these. Fewer leave
 * Redis idle between one and the next (measured: 4 a fifth slower than all at once, 8 as fast).
 */
const SEARCHES_AT_ONCE = 8;

/** Memories that a search goes through when there is no index; of larger namespaces it says to come again. */
const MAX_WALK = 5000;

/** Candidates of both arms, from the index. */
export class MemorySearch {
  readonly #options: MemorySearchOptions;
  readonly #underWay = new FewAtOnce(SEARCHES_AT_ONCE);

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
      const nearest = nearestOf(answer, now);
      const containing = containingOf(answer, query, now);
      const hidden = [nearest, containing].some(({ found, ended }) => found === query.limit && ended > 0);
      if ((answer.isSettled && !hidden) || round === MAX_ROUNDS) {
        return {
          nearest: nearest.candidates,
          containing: containing.candidates,
          corpus: answer.corpus,
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
      const reply = await this.#options.namespaces.run(scope, {
        script: VECTORS,
        keys: (namespace) => [namespace.partition.meta, ...ids.map((id) => namespace.memory(id))],
        args: () => [generation, vectorField(generation)],
      });
      if (reply === undefined) return ids.map(() => undefined);
      const [word, vectors] = listOf(reply);
      if (textOf(word) === "READ") {
        return listOf(vectors).map((vector) => {
          const bytes = bytesOf(vector);
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
      const namespace = await namespaces.find(scope);
      if (namespace === undefined) return undefined;
      const asked = new SearchQuestion(query, namespace, { seen, vectors });
      const { counters, replies } = await this.#unlessModelChanged(() =>
        this.#send(scope, asked, asked.needsSizes ? asked.sizes(index) : asked.searches(index, generation)),
      );
      // Another namespace by now, or none.
      if (counters.number !== namespace.number) namespaces.correct(scope, counters.number);
      else if (asked.needsSizes) asked.readSizes(replies, counters);
      else {
        const answer = asked.read(replies, counters);
        if (query.vector === undefined || counters.generation === generation)
          return this.#whole(scope, answer);
        await model.refresh();
        throw new ModelChanged();
      }
    }
  }

  /** Sends commands, and behind them in the same round trip asks for what shows whether they were the right ones. */
  async #send(
    scope: Scope,
    asked: SearchQuestion,
    commands: readonly Command[],
  ): Promise<{ readonly counters: SearchCounters; readonly replies: readonly Reply[] }> {
    const { client } = this.#options;
    const [reply, ...replies] = await this.#underWay.run(() => {
      const searches = commands.map((command) => client.command(...command));
      return Promise.all([client.run(COUNTERS, ...asked.counters(scope)), ...searches]);
    });
    return { counters: readCounters(reply), replies };
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

/** What an arm has found, by what is said of each. */
interface Arm<T> {
  readonly candidates: readonly T[];
  /** Of the memories that the index has answered with. */
  readonly found: number;
  readonly ended: number;
}

function nearestOf({ nearest }: SearchAnswer, now: number): Arm<Candidates["nearest"][number]> {
  return readArm(nearest, now, ({ id, fields }, { time, importance }) => ({
    id,
    time,
    importance,
    similarity: clampSimilarity(1 - numberOf(fields.get("distance"))),
  }));
}

function containingOf(
  { containing, chosen }: SearchAnswer,
  { terms = [] }: CandidateQuery,
  now: number,
): Arm<Candidates["containing"][number]> {
  const count = termCounter(terms);
  return readArm(containing, now, ({ id, fields }, { time, importance }) => {
    const document = count(asciiOf(fields.get("terms")) ?? "");
    const isCandidate = chosen.some((term) => document.frequencies.has(term));
    return isCandidate ? { id, time, importance, document } : undefined;
  });
}

/** `read` says what there is to say of a memory that has not ended; undefined: it is no candidate. */
function readArm<T>(
  { found }: IndexReply,
  now: number,
  read: (one: IndexedMemory, facts: MemoryFacts) => T | undefined,
): Arm<T> {
  const candidates: T[] = [];
  let ended = 0;
  for (const one of found) {
    const facts = unpackFacts(one.fields.get("facts"));
    const { expireTime } = facts;
    if (expireTime !== undefined && isExpired({ expireTime }, now)) ended += 1;
    else {
      const candidate = read(one, facts);
      if (candidate !== undefined) candidates.push(candidate);
    }
  }
  return { candidates, found: found.length, ended };
}
