// Invariants of all keys of a deployment, also after processes were killed at any point: every counter and index agrees
// with the stored memories and cache entries, and no key is without an owner.
//
//   expect(await brokenInvariants(redis.url, "recollect:")).toEqual([]);

import { isCounted, tokenOf } from "../../../src/adapters/redis/memory/tokens.ts";
import {
  Keys,
  type NamespaceRedisKeys,
  type PartitionKeys,
} from "../../../src/adapters/redis/namespaces/keys.ts";
import { unpackRecord } from "../../../src/adapters/redis/namespaces/records.ts";
import { SCORE_ORDERS } from "../../../src/domain/cache/eviction.ts";
import { type CompactionRun, dueTimeOf, isUnderWay } from "../../../src/domain/compaction/run.ts";
import { endedTime, type Memory, type MemoryEmbedding } from "../../../src/domain/memory/memory.ts";
import { connectTo } from "./client.ts";

type Connection = ReturnType<typeof connectTo>;

/** Returns the violated invariants, one line each. For one partition without concurrent writes. */
export async function brokenInvariants(url: string, prefix: string): Promise<string[]> {
  using redis = connectTo(url);
  const partition = new Keys(prefix, 1).partition(0);
  const all = new Set<string>();
  let cursor = "0";
  do {
    const [next, found] = await redis.scan(cursor, "MATCH", `${prefix}*`, "COUNT", "1000");
    for (const key of found) all.add(key);
    cursor = next;
  } while (cursor !== "0");

  const broken: string[] = [];
  const expectEqual: Expect = (what, found, wanted) => {
    const [one, other] = [comparable(found), comparable(wanted)];
    if (one !== other) broken.push(`${what}: is ${shown(one)}, should be ${shown(other)}`);
  };
  const names = new Map(Object.entries(await redis.hgetall(partition.names)));
  const namespaces = Object.entries(await redis.hgetall(partition.namespaces));
  const deleted = new Set(await redis.smembers(partition.deleted));
  expectEqual(
    "names of namespace ids",
    new Map([...names].filter(([namespaceId]) => !deleted.has(namespaceId))),
    new Map(namespaces.map(([name, namespaceId]) => [namespaceId, name])),
  );
  for (const tenant of new Set(namespaces.map(([name]) => name.split(":")[0] ?? ""))) {
    const own = namespaces.map(([name]) => name.split(":")).filter(([first]) => first === tenant);
    const listed = await redis.zrange(partition.namesOf(tenant), "0", "-1");
    expectEqual(`namespaces of ${tenant}`, new Set(listed), new Set(own.map(([, name]) => name)));
  }

  const expected: ExpectedIndexes = {
    expiry: new Map(),
    pending: new Set(),
    pendingSince: new Set(),
    unfinished: new Map(),
    ended: new Set(),
  };
  for (const [name, namespaceId] of namespaces) {
    const namespace = partition.namespace(namespaceId);
    const expectHere: Expect = (what, ...values) => expectEqual(`${name}: ${what}`, ...values);
    await checkMemories(redis, namespace, all, expected, expectHere);
    await checkFeed(redis, namespace, expectHere);
    await checkCache(redis, namespace, all, expectHere);
    await checkCompactions(redis, namespace, all, expected, expectHere);
  }
  const ofLiving = (member: string): boolean => !deleted.has(member.split("/")[0] ?? "");
  const expiry = await scoresOf(redis, partition.memoryExpiry);
  expectEqual("memory expiry", new Map([...expiry].filter(([member]) => ofLiving(member))), expected.expiry);
  const pending = [...(await scoresOf(redis, partition.pending)).keys()].filter(ofLiving);
  expectEqual("pending", new Set(pending), expected.pending);
  const since = [...(await scoresOf(redis, partition.pendingSince)).keys()].filter(ofLiving);
  expectEqual("pending since", new Set(since), expected.pendingSince);
  const runOfLiving = (member: string): boolean => !deleted.has(member.split("/")[1] ?? "");
  const unfinished = await scoresOf(redis, partition.unfinishedCompactions);
  const livingRuns = new Map([...unfinished].filter(([member]) => runOfLiving(member)));
  expectEqual("unfinished compactions", livingRuns, expected.unfinished);
  const ended = [...(await scoresOf(redis, partition.endedCompactions)).keys()].filter(runOfLiving);
  expectEqual("ended compactions", new Set(ended), expected.ended);
  const changed = [...(await scoresOf(redis, partition.changedScopes)).keys()];
  const counts = await scoresOf(redis, partition.changedScopeCounts);
  expectEqual("counts of changed scopes", new Set(counts.keys()), new Set(changed));
  for (const member of changed)
    if (!names.has(member.split("/")[0] ?? "")) broken.push(`changes of ${member}, whose namespace is gone`);
  const attempts = Object.keys(await redis.hgetall(partition.pendingAttempts)).filter(ofLiving);
  for (const member of attempts)
    if (!expected.pending.has(member)) broken.push(`attempts of ${member}, which is not pending`);

  for (const key of all) if (!isOwned(partition, key, names)) broken.push(`${key} has no owner`);
  return broken;
}

type Expect = (what: string, found: unknown, wanted: unknown) => void;

/** The expected content of the partition's indexes, over all namespaces. */
interface ExpectedIndexes {
  readonly expiry: Map<string, number>;
  readonly pending: Set<string>;
  readonly pendingSince: Set<string>;
  /** Compactions with the time from which any process may continue them. */
  readonly unfinished: Map<string, number>;
  readonly ended: Set<string>;
}

async function checkMemories(
  redis: Connection,
  namespace: NamespaceRedisKeys,
  all: ReadonlySet<string>,
  expected: ExpectedIndexes,
  expectEqual: Expect,
): Promise<void> {
  const { namespaceId, partition } = namespace;
  const generation = (await redis.hget(partition.meta, "generation")) ?? "";
  const first = namespace.memory("");
  const ids = [...all].filter((key) => key.startsWith(first)).map((key) => key.slice(first.length));
  const order = new Map<string, number>();
  const duplicates = new Set<string>();
  const sizes = new Map<string, number>();
  const frequencies = new Map<string, number>();
  const sessions = new Map<string, Map<string, number>>();
  let terms = 0;
  const add = (counts: Map<string, number>, name: string): void => {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  };
  for (const id of ids) {
    const fields = new Map(
      Object.entries(await redis.hgetallBuffer(namespace.memory(id))).map(([name, value]) => [name, value]),
    );
    const text = (name: string): string => String(fields.get(name) ?? "");
    const what = `memory ${id}`;
    const record = unpackRecord<Memory>(fields.get("rec"), what);
    const embedding = unpackRecord<MemoryEmbedding>(fields.get("emb"), what);
    expectEqual(`${what}: id and etag`, [record.id, record.etag], [id, text("etag")]);
    const member = `${namespaceId}/${id}`;
    order.set(id, Number(text("created")));
    const packedFields = ["created", "event", "importance", "expire"].map(text).join(" ");
    const { validFrom = "", validUntil = "" } = record;
    const history = [endedTime(record) ?? "", validFrom, validUntil].map(String);
    expectEqual(`${what}: history`, ["ended", "from", "until"].map(text), history);
    expectEqual(`${what}: packedFields`, text("facts"), packedFields);
    if (fields.has("expire")) expected.expiry.set(member, Number(text("expire")));
    expectEqual(`${what}: keys of duplicates and of recall loops`, fields.has("text"), fields.has("dup"));
    if (fields.has("dup")) {
      duplicates.add(text("dup"));
      duplicates.add(text("text") + text("dup").slice(text("dup").indexOf(":")));
    }
    if (record.sessionId !== "") {
      const token = tokenOf(namespaceId, "session", record.sessionId);
      const positions = sessions.get(token) ?? new Map<string, number>();
      sessions.set(token, positions.set(id, Number(text("pos"))));
    }
    const hasVector = fields.has(`v${generation}`);
    expectEqual(`${what}: state of its vector`, hasVector, embedding.state === "READY");
    if (!hasVector) expected.pending.add(member);
    if (!hasVector && embedding.state !== "REFUSED") expected.pendingSince.add(member);
    const words = text("terms")
      .split(" ")
      .filter((word) => word !== "");
    terms += words.length;
    for (const word of new Set(words)) add(frequencies, word);
    for (const token of text("tok").split(",")) if (isCounted(token)) add(sizes, token);
    const kept = Object.keys(await redis.hgetall(namespace.revisions(id))).map(Number);
    const last = Number(text("rev"));
    expectEqual(
      `${what}: its revisions are the last ones, without gaps`,
      new Set(kept),
      new Set(kept.map((_, at) => last - at)),
    );
  }
  const firstRevisions = namespace.revisions("");
  expectEqual(
    "revisions of missing memories",
    [...all].filter(
      (key) => key.startsWith(firstRevisions) && !ids.includes(key.slice(firstRevisions.length)),
    ),
    [],
  );
  expectEqual("order", await scoresOf(redis, namespace.order), order);
  expectEqual("duplicates", new Set((await scoresOf(redis, namespace.duplicates)).keys()), duplicates);
  expectEqual("sizes", await countsOf(redis, namespace.sizes), sizes);
  expectEqual("frequencies", await countsOf(redis, namespace.documentFrequencies), frequencies);
  const counters = await countsOf(redis, namespace.counters);
  expectEqual("memories", counters.get("memories") ?? 0, ids.length);
  expectEqual("terms", counters.get("terms") ?? 0, terms);

  const firstSession = namespace.session("");
  const listed = [...all]
    .filter((key) => key.startsWith(firstSession))
    .map((key) => key.slice(firstSession.length));
  expectEqual("sessions", new Set(listed), new Set(sessions.keys()));
  const last = await countsOf(redis, namespace.lastPositions);
  for (const [token, positions] of sessions) {
    expectEqual(`session ${token}`, await scoresOf(redis, namespace.session(token)), positions);
    expectEqual(
      `session ${token}: positions are given once`,
      new Set(positions.values()).size,
      positions.size,
    );
    const highest = Math.max(...positions.values());
    expectEqual(`session ${token}: last position`, (last.get(token) ?? 0) >= highest, true);
  }
  const known = new Set(ids);
  const counted = [...(await countsOf(redis, namespace.accessCounts)).keys()];
  const accessed = [...(await scoresOf(redis, namespace.lastAccesses)).keys()];
  expectEqual(
    "accesses of missing memories",
    [...counted, ...accessed].filter((id) => !known.has(id)),
    [],
  );
  expectEqual("accesses", new Set(counted), new Set(accessed));
}

/** A feed has no gaps, and its newest change is that of the newest write. */
async function checkFeed(
  redis: Connection,
  namespace: NamespaceRedisKeys,
  expectEqual: Expect,
): Promise<void> {
  const entries = await redis.xrange(namespace.changeFeed, "-", "+");
  const sequences = entries.map(([id]) => Number(id.split("-")[0]));
  const [first = 0] = sequences;
  expectEqual(
    "sequences of changes",
    sequences,
    sequences.map((_, at) => first + at),
  );
  if (first > 0) return;
  const alive = new Map<string, boolean>();
  const wrong: string[] = [];
  for (const [, [, change = ""]] of entries.slice(1)) {
    const [kind, id] = [change.slice(0, 1), change.slice(1)];
    // A memory is created when it does not exist, and changed or removed when it does.
    if ((kind === "C") === (alive.get(id) ?? false)) wrong.push(change);
    alive.set(id, kind !== "D" && kind !== "E");
  }
  expectEqual("changes in the wrong order", wrong, []);
  const ids = await redis.zrange(namespace.order, "0", "-1");
  const living = [...alive].filter(([, isAlive]) => isAlive).map(([id]) => id);
  expectEqual("memories by their changes", new Set(living), new Set(ids));
}

async function checkCache(
  redis: Connection,
  namespace: NamespaceRedisKeys,
  all: ReadonlySet<string>,
  expectEqual: Expect,
): Promise<void> {
  const ids = [...all]
    .filter((key) => key.startsWith(namespace.cacheEntries))
    .map((key) => key.slice(namespace.cacheEntries.length));
  const sizes = new Map<string, number>();
  let bytes = 0;
  const packedFields = await redis.hgetall(namespace.cacheFields);
  for (const packed of Object.values(packedFields)) {
    const [size = "", scope = ""] = packed.split(" ", 2);
    bytes += Number(size);
    sizes.set(scope, (sizes.get(scope) ?? 0) + 1);
  }
  // Redis itself may have expired an entry; its name is removed later.
  const named = new Set(Object.keys(packedFields));
  expectEqual(
    "unlisted cache entries",
    ids.filter((id) => !named.has(id)),
    [],
  );
  const immortal: string[] = [];
  for (const id of ids) if ((await redis.pttl(namespace.cacheEntry(id))) === -1) immortal.push(id);
  expectEqual("cache entries that Redis never expires", immortal, []);
  for (const key of [namespace.cacheOrder, namespace.cacheExpiry]) {
    expectEqual(key, new Set((await scoresOf(redis, key)).keys()), named);
  }
  const scored: string[] = [];
  for (const order of SCORE_ORDERS)
    scored.push(...(await scoresOf(redis, namespace.cacheUses(order))).keys());
  expectEqual("scored cache entries", [...scored].sort(), [...named].sort());
  const remembered = new Set((await scoresOf(redis, namespace.cacheRemembered)).keys());
  expectEqual(
    "remembered cache entries",
    [...remembered].filter((id) => named.has(id)),
    [],
  );
  const usage = new Set(Object.keys(await redis.hgetall(namespace.cacheUsage)));
  expectEqual("uses of cache entries", usage, new Set([...named, ...remembered]));
  expectEqual("cache sizes", await countsOf(redis, namespace.cacheSizes), sizes);
  const counters = await countsOf(redis, namespace.counters);
  expectEqual("cache bytes", counters.get("cache_bytes") ?? 0, bytes);
}

async function checkCompactions(
  redis: Connection,
  namespace: NamespaceRedisKeys,
  all: ReadonlySet<string>,
  expected: ExpectedIndexes,
  expectEqual: Expect,
): Promise<void> {
  const first = namespace.compaction("");
  const ids = [...all].filter((key) => key.startsWith(first)).map((key) => key.slice(first.length));
  const order = new Map<string, number>();
  const active = new Map<string, string>();
  for (const id of ids) {
    const fields = await redis.hgetallBuffer(namespace.compaction(id));
    const text = (name: string): string => String(fields[name] ?? "");
    const run = unpackRecord<CompactionRun>(fields["rec"], `compaction ${id}`);
    const member = `${id}/${namespace.namespaceId}`;
    order.set(id, run.createTime);
    const due = dueTimeOf(run);
    expectEqual(
      `compaction ${id}`,
      [text("due"), text("working")],
      [String(due ?? ""), isUnderWay(run.state) ? "1" : "0"],
    );
    if (due === undefined) expected.ended.add(member);
    else {
      expected.unfinished.set(member, Math.max(due, Number(text("until"))));
      active.set(run.userId === undefined ? "*" : `u${run.userId}`, id);
    }
    const numbers = Object.keys(await redis.hgetall(namespace.compactionGroups(id))).map(Number);
    expectEqual(
      `groups of compaction ${id}`,
      new Set(numbers),
      new Set(Array.from(numbers, (_, at) => at + 1)),
    );
  }
  expectEqual("compactions in order", await scoresOf(redis, namespace.compactionOrder), order);
  const stored = new Map(Object.entries(await redis.hgetall(namespace.activeCompactions)));
  expectEqual("active compactions", stored, active);
  const plans = namespace.compactionGroups("");
  const withGroups = [...all].filter((key) => key.startsWith(plans)).map((key) => key.slice(plans.length));
  expectEqual(
    "plans of missing compactions",
    withGroups.filter((id) => !order.has(id)),
    [],
  );
}

/** Whether a key is of those that keys.ts spells, of a namespace that exists or is being removed. */
function isOwned(partition: PartitionKeys, key: string, names: ReadonlyMap<string, string>): boolean {
  const { root } = partition;
  if (!key.startsWith(root)) return false;
  const rest = key.slice(root.length);
  const [, kind, number = ""] = /^([nmc]):([0-9a-f]+):/.exec(rest) ?? [];
  if (kind !== undefined) return names.has(number);
  const { meta, namespaces, deleted, memoryExpiry, pending, pendingSince, pendingAttempts, embeddingOrder } =
    partition;
  const whole = [
    ...[meta, namespaces, partition.names, deleted, memoryExpiry],
    ...[pending, pendingSince, pendingAttempts],
  ];
  const others = [
    embeddingOrder,
    partition.rebuildLock,
    partition.reembeddingTodo,
    partition.reembeddingNotes,
    partition.changedScopes,
    partition.changedScopeCounts,
    partition.unfinishedCompactions,
    partition.endedCompactions,
  ];
  return [...whole, ...others].includes(key) || /^(e|names|request):/.test(rest);
}

async function scoresOf(redis: Connection, key: string): Promise<Map<string, number>> {
  const flat = await redis.zrange(key, "0", "-1", "WITHSCORES");
  const scores = new Map<string, number>();
  for (let at = 0; at < flat.length; at += 2) scores.set(flat[at] ?? "", Number(flat[at + 1]));
  return scores;
}

async function countsOf(redis: Connection, key: string): Promise<Map<string, number>> {
  return new Map(Object.entries(await redis.hgetall(key)).map(([name, count]) => [name, Number(count)]));
}

/** Sets and maps by what they hold, in whatever order. */
function comparable(value: unknown): string {
  if (value instanceof Map) return JSON.stringify([...value].map((pair) => JSON.stringify(pair)).sort());
  if (value instanceof Set) return JSON.stringify([...value].map(String).sort());
  return JSON.stringify(value);
}

function shown(text: string): string {
  return text.length <= 400 ? text : `${text.slice(0, 400)}… (${text.length})`;
}
