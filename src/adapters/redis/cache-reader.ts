import type { CacheEntry } from "../../domain/cache/entry.ts";
import type { Scope } from "../../domain/tenancy.ts";
import type { RedisClient, Reply } from "./client.ts";
import { atEndOfTurn } from "./gathered-writes.ts";
import { type NamespaceKeys, type PartitionKeys, scopeName } from "./keys.ts";
import type { KnownEntries, KnownEntry } from "./known-entries.ts";
import type { Namespaces } from "./namespaces.ts";
import { unpackRecord } from "./record.ts";
import { bytesOf, listOf, numberOf, textOf } from "./replies.ts";
import { readScript } from "./script.ts";

const READ = readScript("read-cache-entries", { effect: "reads" });

/** Entries that one command reads: it holds Redis up for some 50 us. */
const MAX_TOGETHER = 64;

/** In the place of a version: no entry is asked for. */
const NO_ENTRY = "-";

/** What Redis says of an entry, and of the place where it was looked for. */
export interface CacheRead {
  /** As it is, ended or not. Undefined: there is none, or none was asked for. */
  readonly entry: CacheEntry | undefined;
  /** Of the vectors of the partition. */
  readonly generation: number;
}

interface Asked {
  readonly scope: Scope;
  readonly number: string;
  /** Undefined: no entry is asked for. */
  readonly id: string | undefined;
  readonly key: string;
  readonly held: KnownEntry | undefined;
  readonly answer: (read: CacheRead | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads entries; those that are asked for in one turn of the event loop by one command. What a command costs both sides
 * is most of what such a read costs, and the more callers wait, the more of them ask in one turn.
 */
export class CacheReader {
  readonly #client: RedisClient;
  readonly #namespaces: Namespaces;
  readonly #known: KnownEntries;
  /** What was asked for in this turn. */
  #asked = new Map<PartitionKeys, Asked[]>();

  constructor(client: RedisClient, namespaces: Namespaces, known: KnownEntries) {
    this.#client = client;
    this.#namespaces = namespaces;
    this.#known = known;
  }

  /** The entry, unless it has ended. One promise where the namespace is known, as it nearly always is. */
  find(scope: Scope, id: string, now: number): Promise<CacheEntry | undefined> {
    return new Promise((resolve, reject) => {
      const ask = (namespace: NamespaceKeys | undefined): void => {
        if (namespace === undefined) resolve(undefined);
        else this.#ask(scope, namespace, id, { answer, reject });
      };
      const answer = (read: CacheRead | undefined): void => {
        if (read === undefined) this.#namespaces.find(scope).then(ask).catch(reject);
        else resolve(liveAt(now, read.entry));
      };
      const known = this.#namespaces.known(scope);
      if (known === undefined) answer(undefined);
      else ask(known);
    });
  }

  /**
   * The same inside a namespace as the caller knows it. Undefined when that is not there any more; what is there instead
   * is known then. Without an id, it says whether the namespace is there.
   */
  read(scope: Scope, namespace: NamespaceKeys, id?: string): Promise<CacheRead | undefined> {
    return new Promise((answer, reject) => this.#ask(scope, namespace, id, { answer, reject }));
  }

  #ask(
    scope: Scope,
    namespace: NamespaceKeys,
    id: string | undefined,
    { answer, reject }: Pick<Asked, "answer" | "reject">,
  ): void {
    const { partition, number } = namespace;
    const key = id === undefined ? partition.meta : namespace.cacheEntry(id);
    const held = id === undefined ? undefined : this.#known.get(key);
    if (this.#asked.size === 0) atEndOfTurn(() => this.#sendAll());
    const asked = { scope, number, id, key, held, answer, reject };
    const others = this.#asked.get(partition);
    if (others === undefined) this.#asked.set(partition, [asked]);
    else others.push(asked);
  }

  #sendAll(): void {
    const all = this.#asked;
    this.#asked = new Map();
    for (const [partition, asked] of all) {
      for (let from = 0; from < asked.length; from += MAX_TOGETHER) {
        this.#send(partition, asked.slice(from, from + MAX_TOGETHER));
      }
    }
  }

  #send({ meta, namespaces }: PartitionKeys, asked: readonly Asked[]): void {
    const keys = [meta, namespaces];
    const args: string[] = [];
    for (const { scope, number, id, key, held } of asked) {
      keys.push(key);
      args.push(scopeName(scope), number, id === undefined ? NO_ENTRY : (held?.version ?? ""));
    }
    this.#client.run(READ, keys, args, { weight: asked.length }).then(
      (reply) => {
        const [generation, ...said] = listOf(reply);
        const current = numberOf(generation);
        for (const [nth, one] of asked.entries()) this.#settle(one, said[nth], current);
      },
      (error: unknown) => {
        for (const { reject } of asked) reject(error);
      },
    );
  }

  #settle(asked: Asked, said: Reply | undefined, generation: number): void {
    const { key, held, answer, reject } = asked;
    if (said === 1) answer({ entry: held?.entry, generation });
    else if (said === 0) {
      if (held !== undefined) this.#known.forget(key);
      answer({ entry: undefined, generation });
    } else {
      try {
        answer(this.#changed(asked, listOf(said), generation));
      } catch (error) {
        // A record that cannot be read concerns who asked for it.
        reject(error);
      }
    }
  }

  #changed({ scope, id, key }: Asked, said: readonly Reply[], generation: number): CacheRead | undefined {
    if (said.length === 1) {
      this.#namespaces.correct(scope, textOf(said[0]));
      return undefined;
    }
    const [version, record] = said;
    const entry = unpackRecord<CacheEntry>(bytesOf(record) ?? Buffer.alloc(0), `cache entry ${id}`);
    this.#known.keep(key, { version: textOf(version) ?? "", entry });
    return { entry, generation };
  }
}

export function liveAt(now: number, entry: CacheEntry | undefined): CacheEntry | undefined {
  return entry !== undefined && entry.expireTime > now ? entry : undefined;
}
