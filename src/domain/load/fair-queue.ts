import { Shares } from "./shares.ts";

/** A piece of work in the queue. */
export interface QueuedWork {
  readonly tenant: string;
  /** The lanes of a tenant share its time by weight. */
  readonly lane: string;
  /** Expected duration, in milliseconds. */
  readonly costMs: number;
  /** From when on the result is useless, on the clock of `now`; Infinity: never. */
  readonly deadline: number;
}

/** The work of one tenant. */
interface TenantQueue<T> {
  readonly lanes: Shares;
  /** By lane. */
  readonly queued: Map<string, T[]>;
}

/** The next piece of work, and those before it whose deadline has passed. */
export interface NextWork<T> {
  readonly work: T | undefined;
  readonly expired: readonly T[];
}

/**
 * A fair queue. Tenants share the time equally, and the lanes of one tenant by weight; a lane is first in, first out. A
 * tenant that floods the queue delays only itself: see Shares.
 */
export class FairQueue<T extends QueuedWork> {
  readonly #tenants = new Map<string, TenantQueue<T>>();
  readonly #shares = new Shares();
  readonly #weightOf: (lane: string) => number;
  #size = 0;

  constructor(weightOf: (lane: string) => number = () => 1) {
    this.#weightOf = weightOf;
  }

  /** Pieces of work in the queue. */
  get size(): number {
    return this.#size;
  }

  add(work: T): void {
    let tenant = this.#tenants.get(work.tenant);
    if (tenant === undefined) {
      tenant = { lanes: new Shares(this.#weightOf), queued: new Map() };
      this.#tenants.set(work.tenant, tenant);
    }
    const lane = tenant.queued.get(work.lane);
    if (lane === undefined) tenant.queued.set(work.lane, [work]);
    else lane.push(work);
    tenant.lanes.add(work.lane, work.costMs);
    this.#shares.add(work.tenant, work.costMs);
    this.#size += 1;
  }

  /** Removes work, such as that of a cancelled call. Returns whether it was in the queue. */
  remove(work: T): boolean {
    const tenant = this.#tenants.get(work.tenant);
    const lane = tenant?.queued.get(work.lane);
    const at = lane?.indexOf(work) ?? -1;
    if (tenant === undefined || lane === undefined || at < 0) return false;
    lane.splice(at, 1);
    tenant.lanes.remove(work.lane, work.costMs);
    this.#shares.remove(work.tenant, work.costMs);
    this.#removed(work, tenant, lane);
    return true;
  }

  /** Removes and returns the next work, and the work before it whose deadline has passed. */
  next(now: number): NextWork<T> {
    const expired: T[] = [];
    for (;;) {
      const name = this.#shares.next();
      const tenant = name === undefined ? undefined : this.#tenants.get(name);
      const lane = tenant?.queued.get(tenant.lanes.next() ?? "");
      const work = lane?.[0];
      if (work === undefined) return { work, expired };
      if (work.deadline > now) {
        this.#serve(work);
        return { work, expired };
      }
      this.remove(work);
      expired.push(work);
    }
  }

  /** Milliseconds of queued work that would run before new work of this tenant and lane. */
  aheadMs(tenantName: string, lane: string): number {
    const lanes = this.#tenants.get(tenantName)?.lanes;
    const before = lanes?.queuedMs(lane) ?? 0;
    const own = before + (lanes?.aheadMs(lane, before) ?? 0);
    return own + this.#shares.aheadMs(tenantName, own);
  }

  #serve(work: T): void {
    const tenant = this.#tenants.get(work.tenant);
    const lane = tenant?.queued.get(work.lane);
    if (tenant === undefined || lane === undefined) return;
    lane.shift();
    tenant.lanes.serve(work.lane, work.costMs);
    this.#shares.serve(work.tenant, work.costMs);
    this.#removed(work, tenant, lane);
  }

  #removed(work: T, tenant: TenantQueue<T>, lane: readonly T[]): void {
    this.#size -= 1;
    if (lane.length > 0) return;
    tenant.queued.delete(work.lane);
    if (tenant.queued.size === 0) this.#tenants.delete(work.tenant);
  }
}
