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

/** How long commands wait for the check whether the store is the same. */
const VERIFY_TIMEOUT_MS = 1000;

/** How long commands wait for a replaced store to be claimed; after that they are refused until it is. */
const CLAIM_TIMEOUT_MS = 5000;

/** The identity of the store of a partition. */
interface Mark {
  /**
   * A random id, created by the first claim. When the store went back to an older state, the part after the dot is
   * replaced: so every process detects it, even when as many changes were made since as were lost.
   */
  readonly id: string | undefined;
  /** Counts changes of data: it never falls. */
  readonly changes: number;
}

/** A partition whose store was replaced. */
export interface Replaced {
  readonly partition: PartitionKeys;
  readonly was: Mark;
  readonly is: Mark;
  /** Whether the key of the identity was removed while the data is still there. */
  readonly lacksMark: boolean;
}

export interface StoreIdentityParts {
  /** A client that does not wait at the gate. */
  readonly client: RedisClient;
  readonly keys: Keys;
  /** The gate at which all other commands wait. */
  readonly gate: Gate;
  readonly log: OperatorLog;
  /** How many namespaces this process has cached. */
  readonly namespaces: () => number;
  /**
   * Clears all caches of the store, and claims it as a start does. Rejects with STORE_UNAVAILABLE when it cannot be
   * served.
   */
  readonly claim: (replaced: readonly Replaced[]) => Promise<void>;
  /** Called when the store is served again. */
  readonly onServed: () => void;
}

/**
 * Verifies that Redis still holds the store that this process has claimed. It can be replaced at any time: emptied
 * (FLUSHALL, a restart without its data), restored from an older dump, taken over by a replica that lagged, or by the
 * data of another deployment; on a cluster, each partition by itself. Then all caches are invalid. It is verified after
 * each connect, before any other command is sent on the connection; with each health check of the backend; and when a
 * reply contradicts a cache.
 */
export class StoreIdentity {
  readonly #parts: StoreIdentityParts;
  /** By partition, as last verified. */
  readonly #verified = new Map<number, Mark>();
  #verifying: Promise<readonly unknown[]> | undefined;
  /** Why the replaced store is not served. */
  #refusal: RecollectError | undefined;
  /** A claim has failed: the caches may be of any store. */
  #hasClaimFailed = false;
  /** Number of cached namespaces before a claim, which clears them. */
  #namespacesBefore = 0;

  private constructor(parts: StoreIdentityParts) {
    this.#parts = parts;
  }

  /** Records the identity of the store that was just claimed. */
  static async open(parts: StoreIdentityParts): Promise<StoreIdentity> {
    const identity = new StoreIdentity(parts);
    await identity.#recordMarks();
    parts.client.onReconnected((holds) => identity.#reconnected(holds));
    parts.client.onMoved(() => identity.#verifyInBackground());
    return identity;
  }

  /** Resolves when the store is the same, or its replacement is served. Rejects with the reason why it is not. */
  async verify(): Promise<void> {
    await this.#once();
  }

  /** The same, and rejects also where a partition cannot be read. */
  async check(): Promise<void> {
    const [failure] = await this.#once();
    if (failure !== undefined) throw failure;
  }

  /** Runs one check at a time; concurrent calls share it. Resolves with the errors of partitions that could not be read. */
  #once(): Promise<readonly unknown[]> {
    this.#verifying ??= this.#verify().finally(() => {
      this.#verifying = undefined;
    });
    return this.#verifying;
  }

  #verifyInBackground(): void {
    // The result is in the gate and in the log.
    this.#once().catch(() => undefined);
  }

  /** Closes the gate for the partitions behind a new connection until they are verified. */
  #reconnected(holds: (key: string) => boolean): void {
    const { gate, keys } = this.#parts;
    const behind = keys
      .all()
      .filter(({ meta }) => holds(meta))
      .map(({ number }) => number);
    if (this.#refusal !== undefined || behind.length === 0) {
      this.#verifyInBackground();
      return;
    }
    // A check in progress may have been answered by the old connection.
    const verified = (this.#verifying ?? Promise.resolve()).catch(() => undefined).then(() => this.#once());
    gate.close(
      behind,
      within(VERIFY_TIMEOUT_MS, verified, () => undefined),
    );
    verified.catch(() => undefined);
  }

  async #verify(): Promise<readonly unknown[]> {
    const { gate, keys } = this.#parts;
    const results = await Promise.allSettled(keys.all().map((partition) => this.#markOf(partition)));
    const replaced: Replaced[] = [];
    const same: [number, Mark][] = [];
    for (const [number, result] of results.entries()) {
      if (result.status === "rejected") continue;
      const [was, is] = [this.#verified.get(number), result.value];
      if (was === undefined) continue;
      // A store without an id was emptied since it was claimed.
      if (is.id === undefined || was.id !== is.id || is.changes < was.changes) {
        replaced.push(await this.#replaced(keys.partition(number), was, is));
      } else same.push([number, is]);
    }
    const isReplaced = new Set(replaced.map(({ partition }) => partition.number));
    if (this.#refusal === undefined) {
      // Also partitions that cannot be read: their commands fail with the reason.
      gate.open([...results.keys()].filter((number) => !isReplaced.has(number)));
    }
    if (replaced.length > 0 || this.#hasClaimFailed) await this.#claimReplaced(replaced);
    else for (const [number, mark] of same) this.#verified.set(number, mark);
    return results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
  }

  async #claimReplaced(replaced: readonly Replaced[]): Promise<void> {
    const { gate, keys, claim, onServed } = this.#parts;
    const all = keys.all().map(({ number }) => number);
    const partitions = replaced.map(({ partition }) => partition.number);
    const claimed = (async () => {
      await this.#renew(replaced);
      await claim(replaced);
      await this.#recordMarks();
    })();
    // While the store is refused, the gate stays closed for all commands.
    if (this.#refusal === undefined) {
      const message = "the store of Redis was replaced, and is being verified";
      gate.close(
        partitions,
        within(CLAIM_TIMEOUT_MS, claimed, () => Promise.reject(unavailable(message))),
      );
    }
    try {
      await claimed;
    } catch (error) {
      this.#hasClaimFailed = true;
      // Not a refusal: the next check claims the store again.
      if (!isRefusal(error)) gate.close(partitions, Promise.reject(error));
      else gate.close(all, Promise.reject(this.#refuse(error, replaced)));
      throw this.#refusal ?? error;
    }
    this.#served(replaced);
    gate.open(all);
    onServed();
  }

  #refuse(error: RecollectError, replaced: readonly Replaced[]): RecollectError {
    const isNew = this.#refusal?.message !== error.message;
    // With a retry delay: the store is served as soon as an operator has repaired it.
    this.#refusal = unavailable(error.message, error);
    if (isNew) {
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
    this.#hasClaimFailed = false;
    if (replaced.length > 0) {
      log.error(
        this.#fieldsOf(replaced),
        `${this.#nameOf(replaced)} ${describeReplacement(replaced)}: ${this.#lossOf(replaced)}; it is served as it is now`,
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

  /** Renews the identity of a store that went back to an older state, so that other processes detect it. */
  async #renew(replaced: readonly Replaced[]): Promise<void> {
    const { client, namespaces } = this.#parts;
    this.#namespacesBefore = Math.max(this.#namespacesBefore, namespaces());
    await Promise.all(
      replaced.map(async ({ partition: { meta }, was, is }) => {
        if (is.id === undefined || is.id !== was.id) return;
        const renewed = `${lineageOf(is.id)}.${newIdentity()}`;
        await client.run(RENEW, { meta, readIdentity: is.id, newIdentity: renewed });
      }),
    );
  }

  async #replaced(partition: PartitionKeys, was: Mark, is: Mark): Promise<Replaced> {
    const { client } = this.#parts;
    const lacksMark = is.id === undefined && (await client.command("EXISTS", partition.namespaces)) === 1;
    return { partition, was, is, lacksMark };
  }

  async #recordMarks(): Promise<void> {
    const marks = await Promise.all(
      this.#parts.keys
        .all()
        .map(async (partition) => [partition.number, await this.#markOf(partition)] as const),
    );
    for (const [number, mark] of marks) this.#verified.set(number, mark);
  }

  async #markOf({ meta }: PartitionKeys): Promise<Mark> {
    const [id, changes] = listOf(await this.#parts.client.command("HMGET", meta, "store", "changes"));
    return { id: textOf(id), changes: numberOf(changes) };
  }
}

/** The part of the id that stays the same when a store goes back to an older state. */
function lineageOf(id: string | undefined): string | undefined {
  return id?.split(".", 1)[0];
}

function describeReplacement(replaced: readonly Replaced[]): string {
  if (replaced.every(({ lacksMark }) => lacksMark)) return "has lost the key that says what it is";
  const changes = sumOf(replaced.map(({ is }) => is.changes));
  if (changes === 0) return "was replaced by an empty one";
  const isOlder = replaced.every(({ was, is }) => lineageOf(was.id) === lineageOf(is.id));
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

/** Settles like `work`, or like `otherwise` after a timeout. */
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
