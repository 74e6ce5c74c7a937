import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FairQueue, type QueuedWork } from "./fair-queue.ts";

interface Named extends QueuedWork {
  readonly id: number;
}

const TENANTS = ["a", "b", "c"];
const LANES = ["SLOW", "QUICK"];
const MAX_COST_MS = 20;
const NEVER = Number.POSITIVE_INFINITY;

const draft = fc.record({
  tenant: fc.constantFrom(...TENANTS),
  lane: fc.constantFrom(...LANES),
  costMs: fc.integer({ min: 1, max: MAX_COST_MS }),
  deadline: fc.oneof(fc.constant(NEVER), fc.integer({ min: 1, max: 100 })),
});

type Step =
  | { readonly kind: "add"; readonly work: QueuedWork }
  | { readonly kind: "next"; readonly passedMs: number }
  | { readonly kind: "remove"; readonly at: number };

const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: draft.map((work): Step => ({ kind: "add", work })) },
    {
      weight: 2,
      arbitrary: fc.integer({ min: 0, max: 10 }).map((passedMs): Step => ({ kind: "next", passedMs })),
    },
    { weight: 1, arbitrary: fc.nat().map((at): Step => ({ kind: "remove", at })) },
  ),
  { maxLength: 200 },
);

function takeAll(queue: FairQueue<Named>): Named[] {
  const taken: Named[] = [];
  for (;;) {
    const { work } = queue.next(0);
    if (work === undefined) return taken;
    taken.push(work);
  }
}

function filled(drafts: readonly QueuedWork[]): { queue: FairQueue<Named>; works: Named[] } {
  const queue = new FairQueue<Named>();
  const works = drafts.map((work, id) => ({ ...work, id }));
  for (const work of works) queue.add(work);
  return { queue, works };
}

describe("a fair queue", () => {
  it("returns each piece of work once: as the next, as expired, or from remove", () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const queue = new FairQueue<Named>();
        const queued: Named[] = [];
        let id = 0;
        let now = 0;
        const leave = (work: Named): void => {
          expect(queued).toContain(work);
          queued.splice(queued.indexOf(work), 1);
        };
        for (const step of taken) {
          if (step.kind === "add") {
            const work = { ...step.work, id };
            id += 1;
            queue.add(work);
            queued.push(work);
          } else if (step.kind === "remove") {
            const work = queued[step.at % Math.max(1, queued.length)];
            if (work === undefined) continue;
            expect(queue.remove(work)).toBe(true);
            expect(queue.remove(work)).toBe(false);
            leave(work);
          } else {
            now += step.passedMs;
            const { work, expired } = queue.next(now);
            for (const late of expired) {
              expect(late.deadline).toBeLessThanOrEqual(now);
              leave(late);
            }
            if (work === undefined) expect(queued).toEqual([]);
            else {
              expect(work.deadline).toBeGreaterThan(now);
              leave(work);
            }
          }
          expect(queue.size).toBe(queued.length);
        }
      }),
    );
  });

  it("serves the work of one lane of one tenant in order of arrival", () => {
    fc.assert(
      fc.property(fc.array(draft.map((work) => ({ ...work, deadline: NEVER }))), (drafts) => {
        const taken = takeAll(filled(drafts).queue);
        for (const tenant of TENANTS) {
          for (const lane of LANES) {
            const ids = taken
              .filter((work) => work.tenant === tenant && work.lane === lane)
              .map(({ id }) => id);
            expect(ids).toEqual(ids.toSorted((a, b) => a - b));
          }
        }
      }),
    );
  });

  it("gives tenants with queued work the same time, up to a piece of work of each", () => {
    fc.assert(
      fc.property(
        fc.array(
          draft.map((work) => ({ ...work, deadline: NEVER })),
          { minLength: 2, maxLength: 100 },
        ),
        (drafts) => {
          const { queue, works } = filled(drafts);
          const served = new Map<string, number>();
          const left = (tenant: string): number =>
            works.filter((work) => work.tenant === tenant).reduce((sum, { costMs }) => sum + costMs, 0) -
            (served.get(tenant) ?? 0);
          for (;;) {
            const { work } = queue.next(0);
            if (work === undefined) return;
            served.set(work.tenant, (served.get(work.tenant) ?? 0) + work.costMs);
            const busy = TENANTS.filter((tenant) => left(tenant) > 0).map(
              (tenant) => served.get(tenant) ?? 0,
            );
            if (busy.length > 0)
              expect(Math.max(...busy) - Math.min(...busy)).toBeLessThanOrEqual(2 * MAX_COST_MS);
          }
        },
      ),
    );
  });

  it("serves a tenant that joins another one's flood within two pieces of work", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.nat({ max: 200 }), (flood, servedBefore) => {
        const of = (tenant: string, id: number): Named => ({
          tenant,
          id,
          lane: "SLOW",
          costMs: 5,
          deadline: NEVER,
        });
        const queue = new FairQueue<Named>();
        for (let id = 0; id < flood; id += 1) queue.add(of("flood", id));
        for (let at = 0; at < servedBefore; at += 1) queue.next(0);
        queue.add(of("quiet", flood));
        const first = [queue.next(0).work?.tenant, queue.next(0).work?.tenant];
        expect(first).toContain("quiet");
      }),
    );
  });

  it("keeps no state of idle tenants: they get neither credit nor debt", () => {
    const queue = new FairQueue<Named>();
    const of = (tenant: string, id: number): Named => ({
      tenant,
      id,
      lane: "SLOW",
      costMs: 5,
      deadline: NEVER,
    });
    for (let id = 0; id < 10; id += 1) queue.add(of("a", id));
    takeAll(queue);
    for (let id = 0; id < 4; id += 1) {
      queue.add(of("a", id));
      queue.add(of("b", id));
    }
    expect(takeAll(queue).map(({ tenant }) => tenant)).toEqual(["a", "b", "a", "b", "a", "b", "a", "b"]);
  });

  it("delays a lane only by its own work: a short lane is not queued behind a long one", () => {
    const queue = new FairQueue<Named>();
    for (let id = 0; id < 50; id += 1)
      queue.add({ tenant: "a", lane: "SLOW", id, costMs: 5, deadline: NEVER });
    queue.add({ tenant: "a", lane: "QUICK", id: 50, costMs: 1, deadline: NEVER });
    const first = [queue.next(0).work?.id, queue.next(0).work?.id];
    expect(first).toContain(50);
  });

  it("gives the lanes of a tenant time by their weight", () => {
    const queue = new FairQueue<Named>((lane) => (lane === "SLOW" ? 3 : 1));
    for (let id = 0; id < 80; id += 2) {
      queue.add({ tenant: "a", lane: "SLOW", id, costMs: 4, deadline: NEVER });
      queue.add({ tenant: "a", lane: "QUICK", id: id + 1, costMs: 4, deadline: NEVER });
    }
    const first = Array.from({ length: 40 }, () => queue.next(0).work?.lane);
    expect(first.filter((lane) => lane === "SLOW")).toHaveLength(30);
  });

  it("estimates the work before a new piece, up to a piece of each tenant and lane", () => {
    fc.assert(
      fc.property(
        fc.array(
          draft.map((work) => ({ ...work, deadline: NEVER })),
          { maxLength: 100 },
        ),
        fc.nat({ max: 50 }),
        fc.constantFrom(...TENANTS),
        fc.constantFrom(...LANES),
        (drafts, servedBefore, tenant, lane) => {
          const { queue } = filled(drafts);
          for (let at = 0; at < servedBefore; at += 1) queue.next(0);
          const estimate = queue.aheadMs(tenant, lane);
          const last = { tenant, lane, id: -1, costMs: 1, deadline: NEVER };
          queue.add(last);
          const order = takeAll(queue);
          const before = order.slice(0, order.indexOf(last)).reduce((sum, { costMs }) => sum + costMs, 0);
          const tolerance = MAX_COST_MS * (TENANTS.length + LANES.length) * LANES.length;
          expect(Math.abs(estimate - before)).toBeLessThanOrEqual(tolerance);
        },
      ),
    );
  });
});
