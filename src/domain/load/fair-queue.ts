import { Shares } from "./shares.ts";

/** Work that waits. */
export interface QueuedWork {
  readonly tenant: string;
  /** Inside a tenant, what waits in one lane does not wait for another lane. */
  readonly lane: string;
  /** Time that it is expected to take, in milliseconds. */
  readonly costMs: number;
  /** When it is of no use any more, on the clock of `now`; Infinity: never. */
  readonly deadline: number;
}

/** The work of one tenant. */
interface TenantQueue<T> {
  readonly lanes: Shares;
  readonly waiting: Map<string, T[]>;
}

/** What comes next, and what was found to be too late on the way there. */
export interface NextWork<T> {
  readonly work: T | undefined;
  readonly expired: readonly T[];
}

/**
 * Work that waits for its turn. Tenants share the time equally, and the lanes of one tenant by weight; in one lane it is
 * first come, first served. A tenant that floods waits for itself alone: see Shares.
 */
export class FairQueue<T extends QueuedWork> {
  readonly #tenants = new Map<string, TenantQueue<T>>();
  readonly #shares = new Shares();
  readonly #weightOf: (lane: string) => number;
  #size = 0;

  constructor(weightOf: (lane: string) => number = () => 1) {
    this.#weightOf = weightOf;
  }

  /** Pieces of work that wait. */
  get size(): number {
    return this.#size;
  }

  add(work: T): void {
    let tenant = this.#tenants.get(work.tenant);
    if (tenant === undefined) {
      tenant = { lanes: new Shares(this.#weightOf), waiting: new Map() };
      this.#tenants.set(work.tenant, tenant);
    }
    const lane = tenant.waiting.get(work.lane);
    if (lane === undefined) tenant.waiting.set(work.lane, [work]);
    else lane.push(work);
    tenant.lanes.add(work.lane, work.costMs);
    this.#shares.add(work.tenant, work.costMs);
    this.#size += 1;
  }

  /** Takes out what nobody waits for any more. Whether it was there. */
  remove(work: T): boolean {
    const tenant = this.#tenants.get(work.tenant);
    const lane = tenant?.waiting.get(work.lane);
    const at = lane?.indexOf(work) ?? -1;
    if (tenant === undefined || lane === undefined || at < 0) return false;
    lane.splice(at, 1);
    tenant.lanes.remove(work.lane, work.costMs);
    this.#shares.remove(work.tenant, work.costMs);
    this.#removed(work, tenant, lane);
    return true;
  }

  /** Takes out the work whose turn it is, and what comes before it and is too late. */
  next(now: number): NextWork<T> {
    const expired: T[] = [];
    for (;;) {
      const name = this.#shares.next();
      const tenant = name === undefined ? undefined : this.#tenants.get(name);
      const lane = tenant?.waiting.get(tenant.lanes.next() ?? "");
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

  /** Milliseconds of work that is done before work of this tenant and lane that came now. */
  aheadMs(tenantName: string, lane: string): number {
    const lanes = this.#tenants.get(tenantName)?.lanes;
    const before = lanes?.queuedMs(lane) ?? 0;
    const own = before + (lanes?.aheadMs(lane, before) ?? 0);
    return own + this.#shares.aheadMs(tenantName, own);
  }

  #serve(work: T): void {
    const tenant = this.#tenants.get(work.tenant);
    const lane = tenant?.waiting.get(work.lane);
    if (tenant === undefined || lane === undefined) return;
    lane.shift();
    tenant.lanes.serve(work.lane, work.costMs);
    this.#shares.serve(work.tenant, work.costMs);
    this.#removed(work, tenant, lane);
  }

  #removed(work: T, tenant: TenantQueue<T>, lane: readonly T[]): void {
    this.#size -= 1;
    if (lane.length > 0) return;
    tenant.waiting.delete(work.lane);
    if (tenant.waiting.size === 0) this.#tenants.delete(work.tenant);
  }
}
