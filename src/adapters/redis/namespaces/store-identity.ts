import { RecollectError } from "../../../domain/errors.ts";
import type { OperatorLog } from "../../../ports/log.ts";
import type { RedisClient } from "../connection/client.ts";
import { unavailable } from "../connection/errors.ts";
import type { Gate } from "../connection/gate.ts";
import { listOf, numberOf, textOf } from "../connection/replies.ts";
import { defineScript } from "../connection/script.ts";
import type { Keys, PartitionKeys } from "./keys.ts";
import { newIdentity } from "./metadata.ts";

const RENEW = defineScript({
  file: new URL("./renew-identity.lua", import.meta.url),
  effect: "writes",
  keys: ["meta"],
  arguments: ["readIdentity", "newIdentity"],
  reply: () => undefined,
});

/** Calls wait no longer for an answer to whether it is the same store. */
const LOOKING_MS = 1000;

/** Calls wait no longer for a store that was replaced to be claimed; then they are refused until it is. */
const CLAIMING_MS = 5000;

/** The identity of the store of a partition. */
interface Mark {
  /**
   * A random id, made by the first claim. Where the store went back to an older state, what follows the dot is another
   * one: so each process notices, also one that looks when as many changes were made as were lost.
   */
  readonly id: string | undefined;
  /** Counts changes of data: it never falls. */
  readonly changes: number;
}

/** A partition whose store is not the one that was known. */
export interface Replaced {
  readonly partition: PartitionKeys;
  readonly was: Mark;
  readonly is: Mark;
  /** Whether the key of the identity is missing, beside the data: it was removed. */
  readonly lacksMark: boolean;
}

export interface StoreIdentityParts {
  /** One that does not wait at the gate. */
  readonly client: RedisClient;
  readonly keys: Keys;
  /** What all other commands wait at. */
  readonly gate: Gate;
  readonly log: OperatorLog;
  /** How many namespaces this process has seen. */
  readonly namespaces: () => number;
  /**
   * Drops all that is cached of the store, and claims it as a start does. Rejects with STORE_UNAVAILABLE when it is not
   * to be served as it is.
   */
  readonly claim: (replaced: readonly Replaced[]) => Promise<void>;
  /** It is served again. */
  readonly onServed: () => void;
}

/**
 * Whether Redis still holds the store that this process knows. It can be replaced behind it at any time: emptied
 * (FLUSHALL, a restart without its data), restored from an older dump, taken over by a replica that lagged, or by the
 * data of another deployment; on a cluster, each partition by itself. Then nothing that is cached is true any more.
 * What was claimed is looked at each time a connection was made, before anything else is sent on it; with each check of
 * the backend; and when an answer contradicts what is cached.
 */
export class StoreIdentity {
  readonly #parts: StoreIdentityParts;
  /** By partition, as it was last looked at. */
  readonly #known = new Map<number, Mark>();
  #verifying: Promise<readonly unknown[]> | undefined;
  /** Why the store in the place of the one that was known is not served. */
  #refusal: RecollectError | undefined;
  /** A claim has failed: what is cached may be of any store. */
  #isUnsettled = false;
  /** Namespaces that were seen, until the claim that follows has dropped them. */
  #namespacesBefore = 0;

  private constructor(parts: StoreIdentityParts) {
    this.#parts = parts;
  }

  /** Takes the store as it was just claimed for the one that it should be. */
  static async open(parts: StoreIdentityParts): Promise<StoreIdentity> {
    const identity = new StoreIdentity(parts);
    await identity.#remember();
    parts.client.onReconnected((holds) => identity.#reconnected(holds));
    parts.client.onMoved(() => identity.#look());
    return identity;
  }

  /** Resolves when it is the same store, or the one in its place is served. Rejects with why it is not. */
  async verify(): Promise<void> {
    await this.#once();
  }

  /** The same, and rejects also where a partition cannot be read. */
  async check(): Promise<void> {
    const [failure] = await this.#once();
    if (failure !== undefined) throw failure;
  }

  /** One check at a time; calls meanwhile wait for it. Resolves with the errors of partitions that could not be read. */
  #once(): Promise<readonly unknown[]> {
    this.#verifying ??= this.#verify().finally(() => {
      this.#verifying = undefined;
    });
    return this.#verifying;
  }

  #look(): void {
    // The result is in the gate and in the log.
    this.#once().catch(() => undefined);
  }

  /** Nothing is sent to partitions behind a new connection before it is known that they are the same. */
  #reconnected(holds: (key: string) => boolean): void {
    const { gate, keys } = this.#parts;
    const behind = keys
      .all()
      .filter(({ meta }) => holds(meta))
      .map(({ number }) => number);
    if (this.#refusal !== undefined || behind.length === 0) {
      this.#look();
      return;
    }
    // One that was under way may have been answered by the old connection.
    const looked = (this.#verifying ?? Promise.resolve()).catch(() => undefined).then(() => this.#once());
    gate.close(
      behind,
      within(LOOKING_MS, looked, () => undefined),
    );
    looked.catch(() => undefined);
  }

  async #verify(): Promise<readonly unknown[]> {
    const { gate, keys } = this.#parts;
    const looks = await Promise.allSettled(keys.all().map((partition) => this.#markOf(partition)));
    const replaced: Replaced[] = [];
    const same: [number, Mark][] = [];
    for (const [number, look] of looks.entries()) {
      if (look.status === "rejected") continue;
      const [was, is] = [this.#known.get(number), look.value];
      if (was === undefined) continue;
      // Without one it was emptied since it was claimed.
      if (is.id === undefined || was.id !== is.id || is.changes < was.changes) {
        replaced.push(await this.#replaced(keys.partition(number), was, is));
      } else same.push([number, is]);
    }
    const isReplaced = new Set(replaced.map(({ partition }) => partition.number));
    if (this.#refusal === undefined) {
      // Also those that cannot be read: their commands fail with the reason.
      gate.open([...looks.keys()].filter((number) => !isReplaced.has(number)));
    }
    if (replaced.length > 0 || this.#isUnsettled) await this.#takeUp(replaced);
    else for (const [number, mark] of same) this.#known.set(number, mark);
    return looks.flatMap((look) => (look.status === "rejected" ? [look.reason] : []));
  }

  async #takeUp(replaced: readonly Replaced[]): Promise<void> {
    const { gate, keys, claim, onServed } = this.#parts;
    const all = keys.all().map(({ number }) => number);
    const partitions = replaced.map(({ partition }) => partition.number);
    const claimed = (async () => {
      await this.#renew(replaced);
      await claim(replaced);
      await this.#remember();
    })();
    // While it is refused, all commands are, also those that come meanwhile.
    if (this.#refusal === undefined) {
      const message = "the store of Redis was replaced, and is being looked at";
      gate.close(
        partitions,
        within(CLAIMING_MS, claimed, () => Promise.reject(unavailable(message))),
      );
    }
    try {
      await claimed;
    } catch (error) {
      this.#isUnsettled = true;
      // Whether it can be served is not known yet: the next check finds out.
      if (!isRefusal(error)) gate.close(partitions, Promise.reject(error));
      else gate.close(all, Promise.reject(this.#refuse(error, replaced)));
      throw this.#refusal ?? error;
    }
    this.#served(replaced);
    gate.open(all);
    onServed();
  }

  #refuse(error: RecollectError, replaced: readonly Replaced[]): RecollectError {
    const isNews = this.#refusal?.message !== error.message;
    // With a retry delay: it is served as soon as an operator has mended it.
    this.#refusal = unavailable(error.message, error);
    if (isNews) {
      this.#parts.log.error(
        this.#fieldsOf(replaced),
        `${this.#nameOf(replaced)} was replaced by one that is not served: ${error.message}; ${this.#lossOf(replaced)}`,
      );
    }
    return this.#refusal;
  }

  #served(replaced: readonly Replaced[]): void {
    const { log } = this.#parts;
    const wasRefused = this.#refusal !== undefined;
    this.#refusal = undefined;
    this.#isUnsettled = false;
    if (replaced.length > 0) {
      log.error(
        this.#fieldsOf(replaced),
        `${this.#nameOf(replaced)} ${whatBecameOf(replaced)}: ${this.#lossOf(replaced)}; it is served as it is now`,
      );
    } else if (wasRefused) log.warn({}, "the store of Redis is the one that it was, and is served again");
    this.#namespacesBefore = 0;
  }

  #fieldsOf(replaced: readonly Replaced[]): object {
    return {
      partitions: replaced.map(({ partition }) => partition.number),
      namespaces: this.#namespacesBefore,
      changes_before: sumOf(replaced.map(({ was }) => was.changes)),
      changes_now: sumOf(replaced.map(({ is }) => is.changes)),
    };
  }

  #nameOf(replaced: readonly Replaced[]): string {
    if (this.#parts.keys.partitions === 1) return "the store of Redis";
    return `the store of Redis in partitions ${replaced.map(({ partition }) => partition.number).join(", ")}`;
  }

  #lossOf(replaced: readonly Replaced[]): string {
    const changes = sumOf(replaced.map(({ was }) => was.changes));
    return `at least ${changes} changes were made before, and this server knew ${this.#namespacesBefore} namespaces`;
  }

  /** Tells others of a store that went back to an older state. */
  async #renew(replaced: readonly Replaced[]): Promise<void> {
    const { client, namespaces } = this.#parts;
    this.#namespacesBefore = Math.max(this.#namespacesBefore, namespaces());
    await Promise.all(
      replaced.map(async ({ partition: { meta }, was, is }) => {
        if (is.id === undefined || is.id !== was.id) return;
        const renewed = `${lineOf(is.id)}.${newIdentity()}`;
        await client.run(RENEW, { meta, readIdentity: is.id, newIdentity: renewed });
      }),
    );
  }

  async #replaced(partition: PartitionKeys, was: Mark, is: Mark): Promise<Replaced> {
    const { client } = this.#parts;
    const lacksMark = is.id === undefined && (await client.command("EXISTS", partition.namespaces)) === 1;
    return { partition, was, is, lacksMark };
  }

  async #remember(): Promise<void> {
    const marks = await Promise.all(
      this.#parts.keys
        .all()
        .map(async (partition) => [partition.number, await this.#markOf(partition)] as const),
    );
    for (const [number, mark] of marks) this.#known.set(number, mark);
  }

  async #markOf({ meta }: PartitionKeys): Promise<Mark> {
    const [id, changes] = listOf(await this.#parts.client.command("HMGET", meta, "store", "changes"));
    return { id: textOf(id), changes: numberOf(changes) };
  }
}

/** What stays the same when a store goes back to an older state of itself. */
function lineOf(id: string | undefined): string | undefined {
  return id?.split(".", 1)[0];
}

function whatBecameOf(replaced: readonly Replaced[]): string {
  if (replaced.every(({ lacksMark }) => lacksMark)) return "has lost the key that says what it is";
  const changes = sumOf(replaced.map(({ is }) => is.changes));
  if (changes === 0) return "was replaced by an empty one";
  const isOlder = replaced.every(({ was, is }) => lineOf(was.id) === lineOf(is.id));
  return isOlder
    ? `went back to an older state, of ${changes} changes, and what came later is lost`
    : `was replaced by another one, of ${changes} changes`;
}

function isRefusal(error: unknown): error is RecollectError {
  return (
    error instanceof RecollectError &&
    error.reason === "STORE_UNAVAILABLE" &&
    error.detail.retryAfterMs === undefined
  );
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

/** Ends as `work` does, or as `otherwise` after so long. */
function within(
  milliseconds: number,
  work: Promise<unknown>,
  otherwise: () => void | Promise<void>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(otherwise()), milliseconds).unref();
    work.then(() => resolve(), reject).finally(() => clearTimeout(timer));
  });
}
