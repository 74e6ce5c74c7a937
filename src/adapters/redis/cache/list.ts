import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { CacheEntry } from "../../../domain/cache/entry.ts";
import type { InvalidationFilter } from "../../../domain/cache/invalidation.ts";
import { withinBytes } from "../../../domain/page-token.ts";
import type { CacheListQuery } from "../../../ports/cache/cache-store.ts";
import { bytesOf, listOf, numberOf, textOf } from "../connection/replies.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { defineNamespaceScript } from "../namespaces/namespace-script.ts";
import { unpackRecord } from "../namespaces/records.ts";
import type { EntryCache } from "./entry-cache.ts";
import { type CacheEntryFields, unpackFields } from "./entry-fields.ts";
import { invalidationNames, isNamed } from "./invalidation-names.ts";
import { INVALIDATION } from "./script.ts";

const LIST = defineNamespaceScript({
  file: new URL("./list-cache-entries.lua", import.meta.url),
  effect: "reads",
  libraries: [INVALIDATION],
  keys: ["cacheOrder", "cacheFields", "counters", "cacheInvalidations"],
  arguments: ["limit", "afterTime", "afterId"],
  reply: (reply) => {
    const [, ...entries] = listOf(reply);
    return Array.from({ length: entries.length / 3 }, (_, index): Passed => {
      const [id, createTime, packed] = entries.slice(3 * index, 3 * index + 3);
      const fields = textOf(packed) ?? "";
      return {
        id: textOf(id) ?? "",
        createTime: numberOf(createTime),
        fields: fields === "" ? undefined : unpackFields(fields),
      };
    });
  },
});

/** Entries that one step scans. */
const STEP = 256;

/** Position of an entry in the list. */
interface Position {
  readonly createTime: number;
  readonly id: string;
}

/** An entry without fields was deleted or invalidated. */
interface Passed extends Position {
  readonly fields: CacheEntryFields | undefined;
}

interface Listed extends Position {
  readonly fields: CacheEntryFields;
}

/** Lists entries, newest first. The scan reads the short fields of each entry; only the page is read completely. */
export class CacheList {
  readonly #namespaces: Namespaces;
  readonly #entries: EntryCache;

  constructor(namespaces: Namespaces, entries: EntryCache) {
    this.#namespaces = namespaces;
    this.#entries = entries;
  }

  async page(
    scope: NamespaceKey,
    query: CacheListQuery,
  ): Promise<{ readonly entries: CacheEntry[]; readonly more: boolean }> {
    let { after } = query;
    let entries: CacheEntry[];
    let more: boolean;
    do {
      const found = await this.#behind(scope, after, query);
      const page = withinBytes(found.slice(0, query.limit), ({ fields }) => fields.bytes, query.maxBytes);
      entries = await this.#read(scope, page);
      more = found.length > page.length;
      after = page.at(-1);
      // When the whole page was deleted meanwhile, read the next: an empty page would end the list.
    } while (entries.length === 0 && more);
    return { entries, more };
  }

  /** See CacheStore.countMatching. */
  async count(scope: NamespaceKey, filter: InvalidationFilter, now: number): Promise<number> {
    const names = invalidationNames(filter);
    let count = 0;
    let last: Position | undefined;
    let step: readonly Passed[];
    do {
      step = await this.#step(scope, last);
      count += step.filter(
        ({ fields }) => fields !== undefined && fields.expireTime > now && isNamed(names, fields.parts),
      ).length;
      last = step.at(-1);
    } while (step.length === STEP);
    return count;
  }

  /** The entries after a position that match a query, up to one more than the page. */
  async #behind(scope: NamespaceKey, after: Position | undefined, query: CacheListQuery): Promise<Listed[]> {
    const found: Listed[] = [];
    let last = after;
    let step: readonly Passed[];
    do {
      step = await this.#step(scope, last);
      found.push(
        ...step.flatMap((one) =>
          one.fields !== undefined && isAsked(one.fields, query) ? [{ ...one, fields: one.fields }] : [],
        ),
      );
      last = step.at(-1);
    } while (found.length <= query.limit && step.length === STEP);
    return found.slice(0, query.limit + 1);
  }

  async #step(scope: NamespaceKey, after: Position | undefined): Promise<Passed[]> {
    const step = await this.#namespaces.run(scope, {
      script: LIST,
      input: ({ cacheOrder, cacheFields, counters, cacheInvalidations }) => ({
        ...{ cacheOrder, cacheFields, counters, cacheInvalidations },
        limit: STEP,
        afterTime: after?.createTime ?? "",
        afterId: after?.id ?? "",
      }),
    });
    return step ?? [];
  }

  async #read(scope: NamespaceKey, page: readonly Listed[]): Promise<CacheEntry[]> {
    if (page.length === 0) return [];
    let keys: string[] = [];
    const replies = await this.#namespaces.pipeline(scope, (namespace) => {
      keys = page.map(({ id }) => namespace.cacheEntry(id));
      return keys.map((key) => ["HMGET", key, "version", "rec"]);
    });
    return page.flatMap(({ id, createTime }, index) => {
      const [version, record] = listOf(replies?.[index] ?? []);
      const bytes = bytesOf(record);
      if (bytes === undefined) return [];
      const cached = this.#entries.get(keys[index] ?? "");
      const entry =
        cached !== undefined && cached.version === textOf(version)
          ? cached.entry
          : unpackRecord<CacheEntry>(bytes, `cache entry ${id}`);
      // An entry that was replaced meanwhile has another position now.
      return entry.createTime === createTime ? [entry] : [];
    });
  }
}

function isAsked({ expireTime, model, tags }: CacheEntryFields, query: CacheListQuery): boolean {
  return (
    expireTime > query.now &&
    (query.model === undefined || query.model === model) &&
    (query.tagsAny === undefined || query.tagsAny.some((tag) => tags.includes(tag)))
  );
}
