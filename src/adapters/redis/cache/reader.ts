import type { Scope } from "../../../domain/access/tenancy.ts";
import type { CacheEntry } from "../../../domain/cache/entry.ts";
import type { RedisClient, Reply } from "../connection/client.ts";
import { beforeFlush } from "../connection/corking.ts";
import { bytesOf, listOf, numberOf, textOf } from "../connection/replies.ts";
import { defineScript, list, rows } from "../connection/script.ts";
import { type NamespaceKeys, type PartitionKeys, scopeName } from "../namespaces/keys.ts";
import { MAX_NAMESPACE_ATTEMPTS, type Namespaces, namespaceIsChanging } from "../namespaces/namespace-ids.ts";
import { unpackRecord } from "../namespaces/records.ts";
import type { KnownEntries, KnownEntry } from "./entry-cache.ts";

/** What Redis says of an entry: it is as the caller has it, there is none, what it is now, or another id of its namespace. */
type EntryReply =
  | "unchanged"
  | "absent"
  | { readonly version: string; readonly record: Buffer }
  | { readonly namespaceId: string | undefined };

const READ = defineScript({
  file: new URL("./read-cache-entries.lua", import.meta.url),
  effect: "reads",
  keys: ["meta", "namespaces", list("entries")],
  arguments: [rows("scopes", ["name", "namespaceId", "count"]), list("versions")],
  reply: (reply) => {
    const [generation, ...entries] = listOf(reply);
    return { generation: numberOf(generation), entries: entries.map(entryReply) };
  },
});

function entryReply(reply: Reply): EntryReply {
  if (reply === 1) return "unchanged";
  if (reply === 0) return "absent";
  const [first, record, ...others] = listOf(reply);
  if (record === undefined && others.length === 0) return { namespaceId: textOf(first) };
  return { version: textOf(first) ?? "", record: bytesOf(record) ?? Buffer.alloc(0) };
}

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

/** Where an entry lies, if its namespace is still the one that it was. */
interface Place {
  readonly namespace: NamespaceKeys;
  /** Of the namespace. */
  readonly name: string;
  /** Undefined: no entry is asked for. */
  readonly id: string | undefined;
  readonly key: string;
}

interface Asked {
  readonly scope: Scope;
  readonly place: Place;
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
  /** What was last found in a scope: a question that comes again comes with the same scope, as an object. */
  #places = new WeakMap<Scope, Place>();

  constructor(client: RedisClient, namespaces: Namespaces, known: KnownEntries) {
    this.#client = client;
    this.#namespaces = namespaces;
    this.#known = known;
  }

  /** Forgets what was read before. */
  forgetAll(): void {
    this.#places = new WeakMap();
    this.#known.forgetAll();
  }

  /** The entry, unless it has ended. One promise where its place is known, as that of a question is which came before. */
  find(scope: Scope, id: string, now: number): Promise<CacheEntry | undefined> {
    return new Promise((resolve, reject) => {
      const ask = (place: Place | undefined): void => {
        if (place === undefined) resolve(undefined);
        else this.#ask(scope, place, { answer, reject });
      };
      let tries = 0;
      const answer = (read: CacheRead | undefined): void => {
        tries += 1;
        if (read !== undefined) resolve(liveAt(now, read.entry));
        else if (tries > MAX_NAMESPACE_ATTEMPTS) reject(namespaceIsChanging());
        else this.#place(scope, id).then(ask).catch(reject);
      };
      const place = this.#places.get(scope);
      if (place?.id === id) ask(place);
      else answer(undefined);
    });
  }

  /**
   * The same inside a namespace as the caller knows it. Undefined when that is not there any more; what is there instead
   * is known then. Without an id, it says whether the namespace is there.
   */
  read(scope: Scope, namespace: NamespaceKeys, id?: string): Promise<CacheRead | undefined> {
    const place = placeOf(scope, namespace, id);
    return new Promise((answer, reject) => this.#ask(scope, place, { answer, reject }));
  }

  /** Undefined: its namespace is not there. */
  async #place(scope: Scope, id: string): Promise<Place | undefined> {
    const namespace = await this.#namespaces.find(scope);
    if (namespace === undefined) return undefined;
    const place = placeOf(scope, namespace, id);
    this.#places.set(scope, place);
    return place;
  }

  #ask(scope: Scope, place: Place, { answer, reject }: Pick<Asked, "answer" | "reject">): void {
    const { partition } = place.namespace;
    const held = place.id === undefined ? undefined : this.#known.get(place.key);
    const asked: Asked = { scope, place, held, answer, reject };
    if (this.#asked.size === 0) beforeFlush(() => this.#sendAll());
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
    const input = {
      meta,
      namespaces,
      entries: asked.map(({ place }) => place.key),
      scopes: scopesOf(asked),
      versions: asked.map(({ place, held }) => (place.id === undefined ? NO_ENTRY : (held?.version ?? ""))),
    };
    this.#client.run(READ, input, { weight: asked.length }).then(
      ({ generation, entries }) => {
        for (const [nth, one] of asked.entries()) this.#settle(one, entries[nth] ?? "absent", generation);
      },
      (error: unknown) => {
        for (const { reject } of asked) reject(error);
      },
    );
  }

  #settle(asked: Asked, reply: EntryReply, generation: number): void {
    const { scope, place, held, answer, reject } = asked;
    if (reply === "unchanged") answer({ entry: held?.entry, generation });
    else if (reply === "absent") {
      if (held !== undefined) this.#known.forget(place.key);
      answer({ entry: undefined, generation });
    } else if ("namespaceId" in reply) {
      this.#namespaces.correct(scope, reply.namespaceId);
      this.#places.delete(scope);
      answer(undefined);
    } else {
      try {
        const entry = unpackRecord<CacheEntry>(reply.record, `cache entry ${place.id}`);
        this.#known.keep(place.key, { version: reply.version, entry });
        answer({ entry, generation });
      } catch (error) {
        // A record that cannot be read concerns who asked for it.
        reject(error);
      }
    }
  }
}

/** Entries in a row that are in one namespace, whose id Redis then looks up once. */
function scopesOf(asked: readonly Asked[]): { name: string; namespaceId: string; count: number }[] {
  const scopes: { name: string; namespaceId: string; count: number }[] = [];
  for (const { place } of asked) {
    const { name, namespace } = place;
    const last = scopes.at(-1);
    if (last?.name === name && last.namespaceId === namespace.namespaceId) last.count += 1;
    else scopes.push({ name, namespaceId: namespace.namespaceId, count: 1 });
  }
  return scopes;
}

function placeOf(scope: Scope, namespace: NamespaceKeys, id: string | undefined): Place {
  const key = id === undefined ? namespace.partition.meta : namespace.cacheEntry(id);
  return { namespace, name: scopeName(scope), id, key };
}

export function liveAt(now: number, entry: CacheEntry | undefined): CacheEntry | undefined {
  return entry !== undefined && entry.expireTime > now ? entry : undefined;
}
