import type { Redis } from "ioredis";
import type { CallTrips, Command } from "./contenders/commands.ts";
import type { Floor, RecordedCall } from "./floors.ts";
import { readUsage } from "./redis-usage.ts";

/** Sizes of the list of neighbours, and of the list by words. */
const SIZES = [1, 3, 10, 20, 50, 100] as const;
/** HNSW's candidate lists. Smaller ones lose true neighbours on other data than this. */
const CANDIDATES = [64, 100, 128, 200] as const;
/** A plan gives the same page when it finds this share of all results of the service: engines round differently. */
const SAME_PAGE = 0.995;
/** The fastest of so many measurements counts: what is slower was delayed by something else. */
const TRIES = 2;

/** Of plans that differ by less, which is noise, the one with the shortest lists is the fastest for its caller. */
const ALIKE = 1.1;
/** A plan is given up when its first searches take so many times what the fastest plan takes. */
const HOPELESS = 4;
const FIRST = 8;
/** As `INFO commandstats` names it. */
const SEARCH = "FT.SEARCH";
/** Results of a page. */
const PAGE = 10;

/** A way to search, as a change of the command that the service sends. */
interface Plan {
  readonly what: string;
  readonly rewrite: (command: Command) => Command;
}

interface Found {
  readonly what: string;
  readonly commands: readonly Command[];
  /** Keys by request. */
  readonly keys: readonly (readonly string[])[];
  /** Redis' microseconds a search. */
  readonly micros: number;
}

/**
 * The fastest queries known that find what the service returned: each known plan of the vector search and each length
 * of the list by words is measured on this store, and the fastest combination counts that finds every page. Where the
 * searches do not return the records of the page, they are read in a second round trip.
 */
export async function fastestSearch(redis: Redis, recorded: readonly RecordedCall[]): Promise<Floor> {
  const pages = recorded.map(({ page }) => page);
  const byWords = await retriever(redis, recorded, isWordSearch, wordPlans());
  const byVector = await retriever(redis, recorded, isVectorSearch, vectorPlans(byWords.length === 0));
  const none: Found = { what: "", commands: [], keys: pages.map(() => []), micros: 0 };
  const own = [byVector[0] ?? none, byWords[0] ?? none] as const;
  if (own.every(({ commands }) => commands.length === 0)) throw new Error("a search sent no FT.SEARCH");
  const reading = await readMicros(redis, pages, own);
  const cost = (pair: readonly Found[]): number => micros(pair) + (needsReads(pair) ? reading : 0);
  const combinations = (byVector.length === 0 ? [none] : byVector)
    .flatMap((vector) => (byWords.length === 0 ? [none] : byWords).map((words) => [vector, words] as const))
    .filter((pair) => share(pages, pair) >= SAME_PAGE);
  const fastest = Math.min(...combinations.map(cost));
  const best =
    combinations
      .filter((pair) => cost(pair) <= ALIKE * fastest)
      .toSorted((a, b) => listed(a) - listed(b) || cost(a) - cost(b))[0] ?? own;
  const searches = best.filter(({ commands }) => commands.length > 0);
  const calls = recorded.map((_, at): CallTrips => {
    const trip = searches.map(({ commands }) => commands[at]).filter((command) => command !== undefined);
    const reads = needsReads(searches) ? readsOf(pages[at] ?? [], searches, at) : [];
    return reads.length === 0 ? [trip] : [trip, reads];
  });
  const isTwoTrips = calls.some(({ length }) => length > 1);
  return {
    what:
      `${searches.map(({ what }) => what).join(" and ")}${isTwoTrips ? ", then an HMGET a result" : ""} ` +
      `(${micros(best).toFixed(0)} us of Redis a call for the searches; as the service sends them ${micros(own).toFixed(0)})`,
    calls,
  };
}

function micros(pair: readonly Found[]): number {
  return pair.reduce((sum, one) => sum + one.micros, 0);
}

/** Results of all searches, which the caller must decode. */
function listed(pair: readonly Found[]): number {
  return pair.reduce((sum, { keys }) => sum + keys.reduce((all, { length }) => all + length, 0), 0);
}

/** Whether the searches do not return the records themselves. */
function needsReads(pair: readonly Found[]): boolean {
  return pair.some(({ commands }) => !commands.every(returnsRecords));
}

/** Redis' microseconds for the records of a page. */
async function readMicros(
  redis: Redis,
  pages: readonly (readonly string[])[],
  pair: readonly Found[],
): Promise<number> {
  const before = await commandMicros(redis, "hmget");
  for (const [at, page] of pages.entries()) {
    for (const [name, ...args] of readsOf(page, pair, at)) await redis.callBuffer(name, ...args);
  }
  return ((await commandMicros(redis, "hmget")) - before) / pages.length;
}

/** Share of the results of all pages that the searches find. */
function share(pages: readonly (readonly string[])[], pair: readonly Found[]): number {
  let found = 0;
  for (const [at, page] of pages.entries()) {
    const keys = pair.flatMap(({ keys }) => keys[at] ?? []);
    found += page.filter((id) => keys.some((key) => isKeyOf(key, id))).length;
  }
  return found / pages.reduce((sum, { length }) => sum + length, 0);
}

function readsOf(page: readonly string[], searches: readonly Found[], at: number): Command[] {
  const keys = searches.flatMap(({ keys }) => keys[at] ?? []);
  return page.flatMap((id): Command[] => {
    const key = keys.find((one) => isKeyOf(one, id));
    return key === undefined ? [] : [["HMGET", key, "rec"]];
  });
}

function isKeyOf(key: string, id: string): boolean {
  return key.endsWith(`:${id}`);
}

/** Measures every plan of one retriever; the first is the service's own. Empty when the service did not use it. */
async function retriever(
  redis: Redis,
  recorded: readonly RecordedCall[],
  isIts: (command: Command) => boolean,
  plans: readonly Plan[],
): Promise<Found[]> {
  const sent = recorded.map(({ seen }) => seen.find(({ command }) => isIts(command))?.command);
  const commands = sent.filter((one) => one !== undefined);
  if (commands.length === 0) return [];
  if (commands.length < sent.length) throw new Error("some calls of a case search, others do not");
  const found: Found[] = [];
  let fastest = Number.POSITIVE_INFINITY;
  for (const { what, rewrite } of plans) {
    const one = await run(redis, what, commands.map(rewrite), HOPELESS * fastest);
    if (one === undefined) continue;
    found.push(one);
    fastest = Math.min(fastest, one.micros);
  }
  return found;
}

/** Undefined when the first searches take more than `atMost` microseconds each. */
async function run(
  redis: Redis,
  what: string,
  commands: readonly Command[],
  atMost: number,
): Promise<Found | undefined> {
  const first = await commandMicros(redis, SEARCH);
  for (const [name, ...args] of commands.slice(0, FIRST)) await redis.callBuffer(name, ...args);
  if (((await commandMicros(redis, SEARCH)) - first) / Math.min(FIRST, commands.length) > atMost)
    return undefined;
  const keys: string[][] = [];
  const tries: number[] = [];
  for (let at = 0; at < TRIES; at += 1) {
    const before = await commandMicros(redis, SEARCH);
    for (const [index, [name, ...args]] of commands.entries()) {
      keys[index] = keysIn((await redis.callBuffer(name, ...args)) as unknown[]);
    }
    tries.push((await commandMicros(redis, SEARCH)) - before);
  }
  return { what, commands, keys, micros: Math.min(...tries) / commands.length };
}

/** Microseconds of Redis' main thread in a command since its start. */
async function commandMicros(redis: Redis, command: string): Promise<number> {
  return (await readUsage(redis)).commands.get(command)?.micros ?? 0;
}

/** An FT.SEARCH reply of RESP2: the count, then each key with its fields. */
function keysIn(reply: readonly unknown[]): string[] {
  return reply.slice(1).flatMap((part) => (Buffer.isBuffer(part) ? [part.toString("latin1")] : []));
}

function isVectorSearch([name, , query]: Command): boolean {
  return name.toUpperCase() === "FT.SEARCH" && String(query).includes("[KNN ");
}

function isWordSearch([name, , query]: Command): boolean {
  return name.toUpperCase() === "FT.SEARCH" && !String(query).includes("[KNN ");
}

function returnsRecords(command: Command): boolean {
  return command.includes("rec");
}

/** `isAlone`: the nearest are the page, in their order, so their records can be returned at once. */
function vectorPlans(isAlone: boolean): Plan[] {
  const policies = [
    { what: "comparing all", text: "HYBRID_POLICY ADHOC_BF" },
    ...CANDIDATES.map((ef) => ({ what: `BATCHES ef ${ef}`, text: `HYBRID_POLICY BATCHES EF_RUNTIME ${ef}` })),
  ];
  const own: Plan = { what: "FT.SEARCH of vectors as the service sends it", rewrite: (command) => command };
  return [
    own,
    ...SIZES.flatMap((size) =>
      policies.map(
        ({ what, text }): Plan => ({
          what: `FT.SEARCH of ${size} neighbours, ${what}`,
          rewrite: (command) => {
            const rewritten = nearest(command, size, text);
            return isAlone && size === PAGE ? withRecords(rewritten) : rewritten;
          },
        }),
      ),
    ),
  ];
}

function wordPlans(): Plan[] {
  const own: Plan = { what: "FT.SEARCH of words as the service sends it", rewrite: (command) => command };
  return [
    own,
    ...SIZES.map(
      (size): Plan => ({
        what: `FT.SEARCH of words, the first ${size}`,
        rewrite: (command) => limited(command, size),
      }),
    ),
  ];
}

/** `[KNN <count> <field> <vector> <options> AS distance]`, whose count may be a parameter. */
const KNN = /\[KNN (\$?\w+) (@\S+ \$\w+)(?: (?:HYBRID_POLICY|EF_RUNTIME) \$?\w+)*/;

function nearest([name, index, query, ...rest]: Command, size: number, policy: string): Command {
  const [whole, count = ""] = KNN.exec(String(query)) ?? [];
  if (whole === undefined || index === undefined)
    throw new Error(`not a search for neighbours: ${String(query)}`);
  const rewritten = String(query).replace(KNN, `[KNN ${count} $2 ${policy}`);
  const args = [...rest];
  const parameter = args.indexOf(count.slice(1), args.indexOf("PARAMS"));
  if (count.startsWith("$") && parameter >= 0) args[parameter + 1] = String(size);
  const text = count.startsWith("$") ? rewritten : rewritten.replace(`[KNN ${count} `, `[KNN ${size} `);
  return limited([name, index, text, ...args], size);
}

/** Returns the records in place of what scores are computed from. */
function withRecords(command: Command): Command {
  const [name, ...args] = command;
  const at = args.indexOf("RETURN");
  if (at < 0 || returnsRecords(command)) return command;
  return [name, ...args.toSpliced(at + 1, 1 + Number(args[at + 1]), "2", "distance", "rec")];
}

function limited(command: Command, size: number): Command {
  const [name, ...args] = command;
  const at = args.indexOf("LIMIT");
  if (at >= 0) args[at + 2] = String(size);
  return [name, ...args];
}
