import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { CompactionGroup } from "../../domain/compaction/group.ts";
import type { CompactionRun } from "../../domain/compaction/run.ts";
import { withEnd, withoutText } from "../../domain/compaction/run-changes.ts";
import { RecollectError } from "../../domain/errors.ts";
import { LeaseLost, type MemoryChanges, type RunLease } from "../../ports/compaction/compaction-store.ts";
import type { CompactionPorts } from "./ports.ts";
import { LEASE_MS } from "./settings.ts";

/** How often the lease is extended and the run is looked at while nothing is written. */
const KEEP_MS = 5000;
/** Groups read at once. */
const PAGE_SIZE = 50;
const PAGE_BYTES = 256 * 1024;

type HeldPorts = Pick<CompactionPorts, "store" | "clock" | "settings" | "metrics">;

/** Thrown at a safe point of a run that is to be cancelled. */
export class CancelRequested extends Error {
  override readonly name = "CancelRequested";
}

/** A run that this process has claimed: it writes to it, and keeps its lease. */
export class HeldRun {
  readonly namespaceKey: NamespaceKey;
  readonly #ports: HeldPorts;
  readonly #owner: string;
  #lease: RunLease;
  #run: CompactionRun;
  #version: number;
  #keptTime: number;

  private constructor(
    ports: HeldPorts,
    namespaceKey: NamespaceKey,
    held: {
      readonly owner: string;
      readonly lease: RunLease;
      readonly run: CompactionRun;
      readonly version: number;
    },
  ) {
    this.#ports = ports;
    this.namespaceKey = namespaceKey;
    this.#owner = held.owner;
    this.#lease = held.lease;
    this.#run = held.run;
    this.#version = held.version;
    this.#keptTime = ports.clock.now();
  }

  /** Undefined: another process works on it, or it does not exist. */
  static async claim(
    ports: HeldPorts,
    namespaceKey: NamespaceKey,
    id: string,
    owner: string,
  ): Promise<HeldRun | undefined> {
    const now = ports.clock.now();
    const lease = await ports.store.claim(namespaceKey, id, { owner, now, until: now + LEASE_MS });
    if (lease === undefined) return undefined;
    const stored = await ports.store.get(namespaceKey, id);
    return stored === undefined ? undefined : new HeldRun(ports, namespaceKey, { owner, lease, ...stored });
  }

  /** As it was last read or written. */
  get run(): CompactionRun {
    return this.#run;
  }

  get version(): number {
    return this.#version;
  }

  /** Extends the lease when that is due. Throws LeaseLost or CancelRequested. */
  async keep(): Promise<void> {
    const { clock } = this.#ports;
    if (clock.now() - this.#keptTime < KEEP_MS) return;
    this.#keptTime = clock.now();
    await this.#extend();
    await this.#readAgain();
  }

  async #extend(): Promise<void> {
    const { store, clock } = this.#ports;
    const now = clock.now();
    const lease = await store.claim(this.namespaceKey, this.#lease.id, {
      owner: this.#owner,
      now,
      until: now + LEASE_MS,
    });
    if (lease?.fence !== this.#lease.fence) throw new LeaseLost();
    this.#lease = lease;
  }

  /** Throws CancelRequested when somebody has asked for it. */
  async #readAgain(): Promise<void> {
    const stored = await this.#ports.store.get(this.namespaceKey, this.#lease.id);
    if (stored === undefined) throw new LeaseLost();
    const isNew = stored.version !== this.#version;
    this.#run = stored.run;
    this.#version = stored.version;
    if (isNew && stored.run.cancelRequested) throw new CancelRequested();
  }

  /**
   * Writes the run, and what else changes with it. Resolves with the ids of memories that have changed, and then nothing was
   * written. Throws LeaseLost, or CancelRequested when the run has changed.
   */
  async write(
    run: CompactionRun,
    also: {
      readonly groups?: readonly CompactionGroup[];
      readonly discardGroups?: boolean;
      readonly changes?: MemoryChanges;
    } = {},
  ): Promise<readonly string[]> {
    const { store, clock } = this.#ports;
    const now = clock.now();
    try {
      const write = { run, version: this.#version, ...also };
      const changed = await store.write(this.namespaceKey, this.#lease, write, { now });
      if (changed.length > 0) return changed;
    } catch (error) {
      if (!(error instanceof RecollectError) || error.reason !== "ETAG_MISMATCH") throw error;
      await this.#readAgain();
      throw new LeaseLost();
    }
    this.#run = run;
    this.#version += 1;
    return [];
  }

  /** All groups of the plan with a number above `after`, in order; reads them as they are asked for. */
  async *groups(after = 0): AsyncGenerator<CompactionGroup> {
    let position = after;
    while (position < this.#run.groups) {
      const page = await this.#ports.store.groups(this.namespaceKey, this.#run.id, {
        after: position,
        limit: PAGE_SIZE,
        maxBytes: PAGE_BYTES,
      });
      if (page.length === 0) return;
      for (const group of page) if (group.number <= this.#run.groups) yield group;
      position = page.at(-1)?.number ?? this.#run.groups;
    }
  }

  /** Ends the run. What was planned and not applied keeps no text. */
  async end(state: "SUCCEEDED" | "FAILED" | "CANCELLED", error?: CompactionRun["error"]): Promise<void> {
    const { clock, settings, metrics } = this.#ports;
    if (state !== "SUCCEEDED") await this.eraseTexts();
    const { undoMs } = settings;
    const ended = withEnd(this.#run, state, { now: clock.now(), undoMs });
    await this.write(error === undefined ? ended : { ...ended, error });
    metrics.compactionEnded(state, ended.tokensBefore, ended.tokensAfter);
  }

  /** Removes the texts of summaries that were not created. */
  async eraseTexts(): Promise<void> {
    for await (const group of this.groups()) {
      if (group.summary !== undefined && group.summary.text !== "") {
        await this.write(this.#run, { groups: [withoutText(group)] });
      }
    }
  }

  /** Lets other processes claim the run at once. */
  async release(): Promise<void> {
    const now = this.#ports.clock.now();
    await this.#ports.store.claim(this.namespaceKey, this.#lease.id, { owner: this.#owner, now, until: now });
  }
}
