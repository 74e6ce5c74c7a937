import { mapKeyOf, type NamespaceKey } from "../../domain/access/tenancy.ts";
import { pauseAfter } from "../../domain/embedding/embedding-pace.ts";
import { executeRun } from "./execute-run.ts";
import type { CompactionPorts } from "./ports.ts";

interface RunName {
  readonly namespaceKey: NamespaceKey;
  readonly id: string;
}

/** How often runs that no server works on are looked for; those of this server are known at once. */
const POLL_MS = 30_000;
/** Runs taken up at once. */
const BATCH = 20;

/**
 * Works on runs in the background, one at a time: those that this server was asked to continue, then those that another one
 * has left. Disposing waits for the write in progress; the rest of the run is continued by any server.
 */
export class CompactionWorker implements AsyncDisposable {
  readonly #ports: CompactionPorts & { readonly random: () => number };
  readonly #owner: string;
  readonly #stopping = new AbortController();
  /** By namespace and id, in the order of their requests. */
  readonly #requested = new Map<string, RunName>();
  readonly #running: Promise<void>;
  #wake: (() => void) | undefined;

  constructor(ports: CompactionPorts & { readonly random: () => number }) {
    this.#ports = ports;
    this.#owner = ports.ids.next(ports.clock.now());
    this.#running = this.#run();
  }

  /** Runs that wait for this server. */
  get waiting(): number {
    return this.#requested.size;
  }

  /** Continues a run soon. */
  continueRun(namespaceKey: NamespaceKey, id: string): void {
    this.#requested.set(`${mapKeyOf(namespaceKey)}\n${id}`, { namespaceKey, id });
    this.#wake?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    this.#wake?.();
    await this.#running;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const wasBusy = (await this.#continueRequested()) || (await this.#continueLeft());
        failures = 0;
        if (!wasBusy) await this.#sleep(POLL_MS);
      } catch (error) {
        if (signal.aborted) return;
        if (failures === 0) this.#ports.log.warn({ err: error }, "compaction failed: it will be continued");
        failures += 1;
        await this.#sleep(pauseAfter(failures, 0, this.#ports.random()));
      }
    }
  }

  /** False: there was none. */
  async #continueRequested(): Promise<boolean> {
    const [first] = this.#requested;
    if (first === undefined) return false;
    const [key, name] = first;
    this.#requested.delete(key);
    try {
      await executeRun(this.#ports, name, this.#owner, this.#stopping.signal);
    } catch (error) {
      this.#requested.set(key, name);
      throw error;
    }
    return true;
  }

  async #continueLeft(): Promise<boolean> {
    const { store, clock } = this.#ports;
    const { signal } = this.#stopping;
    const left = await store.unfinished({ now: clock.now(), limit: BATCH });
    for (const name of left) {
      if (signal.aborted || this.#requested.size > 0) return true;
      await executeRun(this.#ports, name, this.#owner, signal);
    }
    return left.length === BATCH;
  }

  /** Ends early when a run is requested, and when the worker is disposed. */
  async #sleep(milliseconds: number): Promise<void> {
    if (this.#requested.size > 0 && milliseconds === POLL_MS) return;
    const waking = new AbortController();
    this.#wake = () => waking.abort();
    try {
      await this.#ports.sleep(milliseconds, waking.signal);
    } catch (error) {
      if (!waking.signal.aborted) throw error;
    } finally {
      this.#wake = undefined;
    }
  }
}
