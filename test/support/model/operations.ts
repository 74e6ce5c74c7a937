import fc from "fast-check";
import { GUARD_STRICTNESS, type GuardStrictness } from "../../../src/domain/cache/guard-strictness.ts";
import type { MemoryFilter } from "../../../src/domain/memory/filter.ts";
import type { MemoryKind, MemoryState, OnDuplicate } from "../../../src/domain/memory/memory.ts";
import { foldCase } from "../../../src/domain/text/case-folding.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { DAY, NOW, seededRandom } from "../builders.ts";
import { randomFilter } from "../random-filters.ts";
import { IMPORTANCES, KINDS, pick, randomMemory, randomMetadata, STATES, WORDS } from "../random-memories.ts";

/** The tenant and namespace of an operation. */
export interface OperationTarget {
  readonly tenant: "t1" | "t2";
  readonly namespace: string;
}

/** A memory to be written. */
export interface Draft {
  readonly id: string;
  readonly text: string;
  readonly kind: MemoryKind;
  readonly userId: string;
  readonly agentId: string;
  readonly sessionId: string;
  readonly author: string;
  readonly role: string;
  readonly tags: readonly string[];
  readonly metadata: JsonObject;
  readonly importance: number;
  readonly pinned: boolean;
  readonly sourceIds: readonly string[];
  readonly eventTime?: number;
  readonly validFrom?: number;
  readonly validUntil?: number;
  readonly ttlMs?: number;
  /** Absolute, and so perhaps past. */
  readonly expireTime?: number;
  /** Ports only: the API lets no caller choose. */
  readonly state?: MemoryState;
  readonly withoutVector?: boolean;
  readonly supersedes?: readonly string[];
}

/** A memory that another server had; what a draft leaves to the server is said. */
export interface ImportedDraft extends Draft {
  readonly state: MemoryState;
  readonly sessionPosition: number;
  readonly supersededBy: string;
  readonly createTime?: number;
  readonly updateTime?: number;
}

export type DraftField =
  | "text"
  | "kind"
  | "userId"
  | "author"
  | "tags"
  | "metadata"
  | "importance"
  | "pinned"
  | "eventTime"
  | "validFrom"
  | "ttlMs"
  | "sourceIds"
  | "role"
  | "agentId";

/** The etag to send: none, the current one, or one that never existed. */
export type Etag = "none" | "current" | "stale";

export interface CacheScopeChoice {
  readonly model: string;
  readonly systemPrompt: string;
}

export interface LookupOptions {
  readonly strategy?: "HYBRID" | "EXACT" | "SEMANTIC";
  readonly threshold?: number;
  readonly maxAgeMs?: number;
  readonly shadow: boolean;
  readonly guard?: GuardStrictness;
}

/** A request of a caller. `request` gives it a request_id, with which `again` can replay it. */
export type OperationInput = { readonly at: OperationTarget } & (
  | {
      readonly op: "create";
      readonly drafts: readonly Draft[];
      readonly onDuplicate?: OnDuplicate;
      /** One draft, by the call for one. */
      readonly single: boolean;
      readonly request: boolean;
    }
  | {
      readonly op: "update";
      readonly patch: Draft;
      readonly fields: readonly DraftField[];
      readonly etag: Etag;
      readonly request: boolean;
    }
  | {
      readonly op: "restore";
      readonly id: string;
      readonly revision: number;
      readonly etag: Etag;
      readonly request: boolean;
    }
  | { readonly op: "revisions"; readonly id: string; readonly pageSize: number }
  | { readonly op: "delete"; readonly id: string; readonly etag: Etag; readonly request: boolean }
  | {
      readonly op: "purge";
      readonly filter: MemoryFilter;
      readonly force: boolean;
      readonly request: boolean;
    }
  | { readonly op: "deleteNamespace"; readonly force: boolean; readonly request: boolean }
  | {
      readonly op: "storeEntry";
      readonly prompt: string;
      readonly scope: CacheScopeChoice;
      readonly response: string;
      readonly tags: readonly string[];
      readonly metadata: JsonObject;
      readonly ttlMs?: number;
      readonly request: boolean;
    }
  | {
      readonly op: "deleteEntry";
      readonly prompt: string;
      readonly scope: CacheScopeChoice;
      readonly etag: Etag;
      readonly request: boolean;
    }
  | {
      readonly op: "invalidate";
      readonly model?: string;
      readonly tagsAny?: readonly string[];
      readonly knowledgeVersion?: string;
      readonly validateOnly: boolean;
      readonly request: boolean;
    }
  | {
      readonly op: "import";
      /** One message each; they make one stream. */
      readonly messages: readonly (readonly ImportedDraft[])[];
    }
  | {
      readonly op: "get";
      readonly ids: readonly string[];
      /** One id, by the call for one. */
      readonly single: boolean;
    }
  /** Ports only: counts an access to each, whether it exists or not. */
  | { readonly op: "access"; readonly ids: readonly string[] }
  | {
      readonly op: "export";
      /** Absent: everything. */
      readonly filter?: MemoryFilter;
      /** Number of items read at once through the ports; over gRPC, before the stream is interrupted and resumed. */
      readonly pageSize: number;
      /** Bytes of a page through the ports. */
      readonly maxBytes: number;
    }
  /** The whole change feed, this many at a time through the ports. */
  | { readonly op: "changes"; readonly pageSize: number }
  | { readonly op: "list"; readonly filter: MemoryFilter; readonly pageSize: number }
  | {
      readonly op: "search";
      readonly query: { readonly text: string } | { readonly like: string };
      readonly filter: MemoryFilter;
      readonly mode: "HYBRID" | "VECTOR" | "KEYWORD";
      readonly limit: number;
      readonly minSimilarity?: number;
      readonly recencyWeight: number;
      readonly importanceWeight: number;
      readonly neighbors: number;
    }
  | { readonly op: "namespaces"; readonly pageSize: number }
  | { readonly op: "namespaceStats" }
  | {
      readonly op: "lookup";
      readonly prompt: string;
      readonly scope: CacheScopeChoice;
      readonly options: LookupOptions;
    }
  | { readonly op: "getEntry"; readonly prompt: string; readonly scope: CacheScopeChoice }
  | {
      readonly op: "listEntries";
      readonly pageSize: number;
      readonly model?: string;
      readonly tagsAny?: readonly string[];
    }
  | { readonly op: "cacheStats" }
  | {
      readonly op: "updatePolicy";
      /** Absent: it is cleared. */
      readonly guard?: GuardStrictness;
      readonly etag: Etag;
      readonly request: boolean;
    }
  | { readonly op: "getPolicy" }
);

export type Operation =
  | OperationInput
  /** Replays an earlier request with a request_id; `altered`: with another body. */
  | { readonly op: "again"; readonly back: number; readonly altered: boolean }
  /** Advances the clock. */
  | { readonly op: "wait"; readonly ms: number }
  /** The store is closed and opened again. */
  | { readonly op: "restart" };

/** The operations that a level supports. */
export interface Level {
  /** At the ports there are two tenants, every state and memories without vector; over gRPC there is one caller. */
  readonly ports: boolean;
}

const IDS = Array.from({ length: 16 }, (_, index) => `m${index}`);
/** Ids of memories with a history: they are stored and changed more often. */
const OFTEN = ["m0", "m1"];
const SUBJECTS = ["Ana", "Bo", "the cat", "茶", "Zürich", "nobody"];
const VERBS = ["drinks", "likes", "sells", "is allergic to", "never drinks", "wrote about"];
const OBJECTS = [
  "green tea",
  "Green  TEA",
  "coffee",
  "books about tea",
  "🎉",
  "the Who",
  "with password: tea4two!",
];

const FOLDED_TEXTS = [
  "Ana lives in the Bahnhofstraße",
  "ANA LIVES IN THE  BAHNHOFSTRASSE",
  "Bo says ΟΔΟΣ",
  "bo says οδος",
  "the cat is in İzmir",
];

/** Prompts that hit each other exactly, by meaning, not at all, or are refused by the guard. No two share a vector. */
export const PROMPTS: readonly string[] = [
  "How do I cancel my order?",
  "please tell me, how can I cancel my order",
  "How do I cancel order 5?",
  "How do I cancel order 6?",
  "Which tea is good for the evening?",
  "Which good tea is for late in the evening?",
  "What is the capital of Portugal?",
  "Was ist die Hauptstadt von Portugal?",
];

const text = fc
  .tuple(fc.constantFrom(...SUBJECTS), fc.constantFrom(...VERBS), fc.constantFrom(...OBJECTS))
  .map((words) => words.join(" "));

/** Drawn from small pools, where shrinking does not help; the seed reproduces a run. */
const seeded = <T>(make: (random: () => number) => T): fc.Arbitrary<T> =>
  fc.nat().map((seed) => make(seededRandom(seed)));

const metadata = seeded(randomMetadata);
const tags = fc.subarray([...WORDS], { maxLength: 3 });
const spans = fc.constantFrom(1000, 2500, 60_000, 2 * DAY);

/** Mostly one namespace, so that many operations interact. */
function target(level: Level): fc.Arbitrary<OperationTarget> {
  return fc.record({
    tenant: level.ports
      ? fc.constantFrom("t1" as const, "t1" as const, "t1" as const, "t2" as const)
      : fc.constant("t1" as const),
    namespace: fc.constantFrom("a", "a", "a", "a", "a", "a", "b", "a-b"),
  });
}

/** In one of so many cases; else the field is absent. */
function rarely<T>(oneIn: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: oneIn - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
}

type Present<T> = { [K in keyof T]: Exclude<T[K], undefined> };

function present<T extends object>(value: T): Present<T> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as Present<T>;
}

function draft(level: Level): fc.Arbitrary<Draft> {
  const name = fc.constantFrom(...WORDS);
  return fc
    .record({
      id: fc.constantFrom(...IDS, ...OFTEN),
      text,
      kind: fc.constantFrom("SEMANTIC" as const, ...KINDS),
      userId: fc.constantFrom("", "", "a", "A"),
      agentId: fc.constantFrom("", "a", "b"),
      sessionId: fc.constantFrom("", "s1", "s 2"),
      author: rarely(4, name).map((given) => given ?? ""),
      role: fc.constantFrom("", "user"),
      tags,
      metadata,
      importance: fc.constantFrom(...IMPORTANCES.map(Math.fround)),
      pinned: fc.boolean(),
      sourceIds: fc.subarray(IDS, { maxLength: 2 }),
      eventTime: rarely(2, fc.constantFrom(NOW - DAY, NOW - DAY + 1, NOW, NOW + DAY)),
      validFrom: rarely(4, fc.constantFrom(0, NOW, NOW + 1000)),
      validUntil: rarely(8, fc.constantFrom(NOW + 1001, NOW + 5000, NOW + DAY)),
      ttlMs: rarely(6, spans),
      expireTime: rarely(8, fc.constantFrom(NOW - DAY, NOW, NOW + 5000, NOW + 2 * DAY)),
      ...(level.ports
        ? { state: rarely(4, fc.constantFrom(...STATES)), withoutVector: rarely(8, fc.constant(true)) }
        : {}),
    })
    .map((made) => endsOnce(present(made)))
    .chain((made) =>
      fc.oneof({ weight: 1, arbitrary: fc.constant(made) }, { weight: 1, arbitrary: likelyDuplicate(made) }),
    );
}

/** One that may supersede others, or itself, which is refused. */
function supersedingDraft(level: Level): fc.Arbitrary<Draft> {
  return fc
    .tuple(draft(level), rarely(4, fc.subarray(IDS, { minLength: 1, maxLength: 2 })))
    .map(([made, supersedes]) => (supersedes === undefined ? made : { ...made, supersedes }));
}

/** The same in everything of the duplicate key but the text, of which some are the same when they are folded. */
function likelyDuplicate(made: Draft): fc.Arbitrary<Draft> {
  const { eventTime: _eventTime, validFrom: _validFrom, validUntil: _validUntil, ...given } = made;
  const plain = { userId: "", agentId: "", sessionId: "", author: "", role: "", kind: "SEMANTIC" as const };
  return fc.constantFrom(...FOLDED_TEXTS).map((folded) => ({ ...given, ...plain, text: folded }));
}

/** Times that no operation has and no two ids share, so that the order of memories is always defined. */
function createTime(id: string): fc.Arbitrary<number> {
  const own = IDS.indexOf(id) * 10;
  return fc.constantFrom(NOW - 2 * DAY, NOW - DAY, NOW + 30 * DAY).map((time) => time + own);
}

function importedDraft(level: Level): fc.Arbitrary<ImportedDraft> {
  return draft(level).chain(({ ttlMs, ...given }) =>
    fc
      .record({
        createTime: rarely(2, createTime(given.id)),
        updatedAfter: rarely(2, fc.constantFrom(0, 0, 3, 7, -1)),
        state: fc.constantFrom("ACTIVE" as const, "ACTIVE" as const, ...STATES),
        // Few, so that they collide with those that are given, with each other, and with gaps.
        sessionPosition: fc.constantFrom(0, 1, 2, 3, 5, 9, 40),
        supersededBy: rarely(4, fc.constantFrom(...IDS)).map((by) => by ?? ""),
        supersedes: rarely(4, fc.subarray(IDS, { minLength: 1, maxLength: 2 })),
        ttlMs: rarely(4, fc.constant(ttlMs)),
      })
      .map(({ updatedAfter, ...made }) =>
        present({
          ...given,
          ...made,
          updateTime:
            made.createTime === undefined || updatedAfter === undefined
              ? undefined
              : made.createTime + updatedAfter,
        }),
      )
      .map((made) => endsOnce(made)),
  );
}

/** A memory has one end. */
function endsOnce<One extends Draft>(made: One): One {
  if (made.ttlMs === undefined || made.expireTime === undefined) return made;
  const { expireTime: _, ...others } = made;
  return others as One;
}

const DRAFT_FIELDS: readonly DraftField[] = [
  "text",
  "kind",
  "userId",
  "agentId",
  "author",
  "role",
  "tags",
  "metadata",
  "importance",
  "pinned",
  "eventTime",
  "validFrom",
  "ttlMs",
  "sourceIds",
];

/** Times of operations: at the beginning, after a short wait, or after a long one. */
function operationTime(random: () => number): number {
  return NOW + Math.floor(pick(random, [100, 5000, 2 * DAY]) * random());
}

/** `asOf`: of a request that may ask for the past. */
function filter(level: Level, { asOf }: { readonly asOf: boolean }): fc.Arbitrary<MemoryFilter> {
  const any = seeded((random): MemoryFilter => {
    const access = { accessCount: 1, lastAccessTime: operationTime(random) };
    const made = randomFilter(random, { ...randomMemory(random, "model"), access });
    if (level.ports) return made;
    const { asOf: time, ...now } = asRequestsCarryIt(made);
    return asOf && time !== undefined ? { ...now, asOf: time } : now;
  });
  const past = seeded(
    (random): MemoryFilter => ({
      states: pick(random, [["ACTIVE"], ["ACTIVE"], ["SUPERSEDED"], STATES]),
      asOf: operationTime(random),
    }),
  );
  // By itself, because few memories pass another condition too.
  const accessed = seeded(
    (random): MemoryFilter => ({
      states: STATES,
      lastAccessTime: { [pick(random, ["start", "end"])]: operationTime(random) },
    }),
  );
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant<MemoryFilter>({ states: ["ACTIVE"] }) },
    { weight: 1, arbitrary: fc.constant<MemoryFilter>({ states: STATES }) },
    { weight: 3, arbitrary: any },
    { weight: 1, arbitrary: accessed },
    ...(asOf ? [{ weight: 3, arbitrary: past }] : []),
  );
}

/** A server refuses a condition that is empty, a span begins before it ends, and importance is a float32. */
function asRequestsCarryIt({ importance = {}, ...given }: MemoryFilter): MemoryFilter {
  const said = Object.entries(given).filter(([, value]) => {
    const { start, end } = value as { readonly start?: number; readonly end?: number };
    const isEmpty = value === "" || (typeof value === "object" && Object.keys(value).length === 0);
    return !isEmpty && !(start !== undefined && start === end);
  });
  const bounds = Object.entries(importance).map(([bound, value]) => [bound, Math.fround(value as number)]);
  return {
    states: given.states,
    ...Object.fromEntries(said),
    ...(bounds.length === 0 ? {} : { importance: Object.fromEntries(bounds) }),
  };
}

function foldedText({ text }: Draft): string {
  return foldCase(text).replaceAll(/\s+/g, " ");
}

/** Everything that may happen, the frequent things more often. */
export function operation(level: Level): fc.Arbitrary<Operation> {
  const at = target(level);
  const request = fc.boolean();
  const oneInThree = fc.constantFrom(false, false, true);
  const etag = fc.constantFrom<Etag>("none", "none", "current", "stale");
  const id = fc.constantFrom(...IDS);
  const often = fc.constantFrom(...OFTEN);
  const onDuplicate = fc.constantFrom<OnDuplicate>("ALLOW", "REFUSE", "RETURN_EXISTING");
  const scope = fc.record({
    model: fc.constantFrom("m1", "m1", "m2"),
    systemPrompt: fc.constantFrom("", "", "be brief"),
  });
  const prompt = fc.constantFrom(...PROMPTS);
  const pageSize = fc.constantFrom(1, 2, 3, 50);
  const op = <Name extends Operation["op"]>(name: Name) => fc.constant(name);
  const unit = fc.constantFrom(0, 0, 0.5, 1);

  const table: readonly (readonly [number, fc.Arbitrary<Operation>])[] = [
    [
      8,
      fc.record(
        {
          op: op("create"),
          at,
          drafts: fc.tuple(supersedingDraft(level)),
          single: fc.constant(true),
          onDuplicate,
          request,
        },
        { requiredKeys: ["op", "at", "drafts", "single", "request"] },
      ),
    ],
    [
      6,
      fc.record({
        op: op("create"),
        at,
        single: fc.constant(false),
        request,
        // The order of two equal texts in one batch is undefined.
        drafts: fc.uniqueArray(draft(level), {
          minLength: 1,
          maxLength: 10,
          selector: foldedText,
        }),
      }),
    ],
    [
      5,
      fc.record({
        op: op("create"),
        at,
        single: fc.constant(false),
        request,
        onDuplicate: fc.constantFrom<OnDuplicate>("REFUSE", "RETURN_EXISTING"),
        drafts: fc.array(draft(level), { minLength: 1, maxLength: 6 }),
      }),
    ],
    [
      5,
      fc.record({
        op: op("update"),
        at,
        patch: fc
          .tuple(draft(level), fc.option(often))
          .map(([{ expireTime: _, ...patch }, id]) => (id === null ? patch : { ...patch, id })),
        fields: fc.subarray([...DRAFT_FIELDS], { minLength: 1 }),
        etag,
        request,
      }),
    ],
    [4, fc.record({ op: op("delete"), at, id, etag, request })],
    [
      2,
      fc.record({
        op: op("purge"),
        at,
        filter: filter(level, { asOf: level.ports }),
        force: oneInThree,
        request,
      }),
    ],
    [1, fc.record({ op: op("deleteNamespace"), at, force: oneInThree, request })],
    [
      2,
      fc.record({
        op: op("get"),
        at,
        ids: fc.array(id, { minLength: 1, maxLength: 5 }),
        single: fc.constant(false),
      }),
    ],
    [2, fc.record({ op: op("get"), at, ids: fc.tuple(id), single: fc.constant(true) })],
    ...(level.ports
      ? [[2, fc.record({ op: op("access"), at, ids: fc.array(id, { minLength: 1, maxLength: 5 }) })] as const]
      : []),
    [
      4,
      fc.record({
        op: op("import"),
        at,
        messages: fc
          // As in a batch, no text twice.
          .uniqueArray(importedDraft(level), { minLength: 1, maxLength: 10, selector: foldedText })
          .chain((drafts) =>
            fc.nat({ max: drafts.length }).map((cut) => [drafts.slice(0, cut), drafts.slice(cut)]),
          ),
      }),
    ],
    [
      3,
      fc.record(
        {
          op: op("export"),
          at,
          filter: filter(level, { asOf: level.ports }),
          pageSize,
          maxBytes: fc.constantFrom(1, 2000, Number.MAX_SAFE_INTEGER),
        },
        { requiredKeys: ["op", "at", "pageSize", "maxBytes"] },
      ),
    ],
    [4, fc.record({ op: op("list"), at, filter: filter(level, { asOf: true }), pageSize })],
    [
      12,
      fc.record(
        {
          op: op("search"),
          at,
          query: fc.oneof(
            { weight: 3, arbitrary: fc.record({ text }) },
            { weight: 1, arbitrary: fc.record({ like: id }) },
          ),
          filter: filter(level, { asOf: true }),
          mode: fc.constantFrom("HYBRID" as const, "VECTOR" as const, "KEYWORD" as const),
          limit: fc.constantFrom(1, 3, 10, 100),
          minSimilarity: fc.constantFrom(-1, 0.05, 0.3).map(Math.fround),
          recencyWeight: unit,
          importanceWeight: unit,
          neighbors: fc.constantFrom(0, 0, 1, 5),
        },
        {
          requiredKeys: [
            ...(["op", "at", "query", "filter", "mode", "limit"] as const),
            ...(["recencyWeight", "importanceWeight", "neighbors"] as const),
          ],
        },
      ),
    ],
    [
      12,
      fc.record({
        ...{ op: op("restore"), at, id: often, request },
        etag: fc.constantFrom<Etag>("none", "none", "none", "none", "current", "stale"),
        revision: fc.constantFrom(0, 1, 1, 1, 2),
      }),
    ],
    [5, fc.record({ op: op("revisions"), at, id: often, pageSize })],
    [1, fc.record({ op: op("namespaces"), at, pageSize })],
    [2, fc.record({ op: op("namespaceStats"), at })],
    [
      6,
      fc.record(
        {
          op: op("storeEntry"),
          at,
          prompt,
          scope,
          response: fc.constantFrom("yes", "no 🎉", "x".repeat(2000)),
          tags,
          metadata,
          ttlMs: spans.map((ms) => Math.min(ms, DAY)),
          request,
        },
        { requiredKeys: ["op", "at", "prompt", "scope", "response", "tags", "metadata", "request"] },
      ),
    ],
    [
      6,
      fc.record({
        op: op("lookup"),
        at,
        prompt,
        scope,
        options: fc.record(
          {
            strategy: fc.constantFrom("HYBRID" as const, "EXACT" as const, "SEMANTIC" as const),
            threshold: fc.constantFrom(0, 0.7, 0.95).map(Math.fround),
            maxAgeMs: fc.constantFrom(1000, 60_000),
            shadow: fc.boolean(),
            guard: fc.constantFrom(...GUARD_STRICTNESS),
          },
          { requiredKeys: ["shadow"] },
        ),
      }),
    ],
    [2, fc.record({ op: op("getEntry"), at, prompt, scope })],
    [
      2,
      fc.record(
        {
          op: op("listEntries"),
          at,
          pageSize,
          model: fc.constantFrom("m1", "m2"),
          tagsAny: fc.subarray([...WORDS], { minLength: 1, maxLength: 3 }),
        },
        { requiredKeys: ["op", "at", "pageSize"] },
      ),
    ],
    [2, fc.record({ op: op("deleteEntry"), at, prompt, scope, etag, request })],
    [
      1,
      fc.record(
        {
          op: op("invalidate"),
          at,
          model: fc.constantFrom("m1", "m2"),
          tagsAny: fc.subarray([...WORDS], { minLength: 1, maxLength: 2 }),
          knowledgeVersion: fc.constantFrom("be brief", "none"),
          validateOnly: fc.boolean(),
          request,
        },
        { requiredKeys: ["op", "at", "validateOnly", "request"] },
      ),
    ],
    [5, fc.record({ op: op("changes"), at, pageSize })],
    [2, fc.record({ op: op("cacheStats"), at })],
    [
      3,
      fc.record(
        { op: op("updatePolicy"), at, guard: fc.constantFrom(...GUARD_STRICTNESS), etag, request },
        { requiredKeys: ["op", "at", "etag", "request"] },
      ),
    ],
    [1, fc.record({ op: op("getPolicy"), at })],
    [
      5,
      fc.record({ op: op("again"), back: fc.nat({ max: 5 }), altered: fc.constantFrom(false, false, true) }),
    ],
    [2, fc.record({ op: op("wait"), ms: fc.constantFrom(1, 1000, 2500, 2500, 3_600_000, DAY) })],
    [1, fc.record({ op: op("restart") })],
  ];
  return fc.oneof(...table.map(([weight, arbitrary]) => ({ weight, arbitrary })));
}
