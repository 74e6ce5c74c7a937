import { expect, it } from "vitest";
import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import type { CompactionRun } from "../../../src/domain/compaction/run.ts";
import { NOW } from "../../support/builders.ts";
import { freshNamespaceKey } from "../store-under-test.ts";
import {
  type CompactionSubject,
  claim,
  endedRun,
  group,
  MINUTE,
  refusalOf,
  run,
  startRun,
} from "./support.ts";

/** Who may work on a run, and which runs wait for somebody. */
export function leaseCases(subject: CompactionSubject): void {
  const store = () => subject.store.compactions;
  const start = (given: Partial<CompactionRun> = {}, scope = subject.scope) =>
    store().start(scope, run(given), { now: NOW });
  const fenceOf = async (given: Parameters<typeof claim>[1]) => (await claim(subject, given))?.fence;

  it("is held by one owner until it is over, and each new owner gets a higher fence", async () => {
    await start();
    expect(await fenceOf({ owner: "a" })).toBe(1);
    expect(await fenceOf({ owner: "b", now: NOW + MINUTE - 1 })).toBeUndefined();
    expect(await fenceOf({ owner: "b", now: NOW + MINUTE })).toBe(2);
    expect(await fenceOf({ owner: "a", now: NOW + MINUTE + 1 })).toBeUndefined();
    expect(await fenceOf({ owner: "a", now: NOW + 2 * MINUTE })).toBe(3);
  });

  it("is extended by its owner, with the same fence, also when it is over", async () => {
    await start();
    expect(await fenceOf({ owner: "a" })).toBe(1);
    expect(await fenceOf({ owner: "a", now: NOW + 1, until: NOW + 2 * MINUTE })).toBe(1);
    expect(await fenceOf({ owner: "b", now: NOW + MINUTE })).toBeUndefined();
    expect(await fenceOf({ owner: "a", now: NOW + 3 * MINUTE })).toBe(1);
  });

  it("is given back by a claim until now", async () => {
    await start();
    await claim(subject, { owner: "a" });
    expect(await fenceOf({ owner: "a", until: NOW })).toBe(1);
    expect(await fenceOf({ owner: "b" })).toBe(2);
  });

  it("is got by one of many at once", async () => {
    await start();
    const owners = Array.from({ length: 8 }, (_, at) => `owner-${at}`);
    const leases = await Promise.all(owners.map((owner) => claim(subject, { owner })));
    expect(leases.filter((lease) => lease !== undefined)).toEqual([{ id: "run-1", fence: 1 }]);
  });

  it("does not exist for an unknown run or namespace", async () => {
    expect(await fenceOf({})).toBeUndefined();
    await start();
    expect(await fenceOf({ id: "unknown" })).toBeUndefined();
  });

  it("refuses every write of an earlier owner, in which nothing changes", async () => {
    const { write, lease, stored } = await startRun(subject);
    expect(await write({ groups: [group(1)] })).toEqual([]);
    const next = await claim(subject, { owner: "b", now: NOW + MINUTE });
    // As a process that was paused beyond its lease.
    const late = { run: run({ state: "FAILED", endTime: NOW }), groups: [group(1, { state: "APPLIED" })] };
    expect(await refusalOf(write(late, { now: NOW + 1 }))).toBe("LeaseLost");
    expect(await refusalOf(write(late, { now: NOW + 2 * MINUTE }))).toBe("LeaseLost");
    expect(await stored()).toEqual({ run: run(), version: 2 });
    const options = { after: 0, limit: 9, maxBytes: 1000 };
    expect(await store().groups(subject.scope, "run-1", options)).toEqual([group(1)]);
    expect(next?.fence).toBe(lease.fence + 1);
    const writes = { run: run({ state: "APPLYING" }), version: 2 };
    expect(await store().write(subject.scope, next ?? lease, writes, { now: NOW })).toEqual([]);
  });

  it("goes on for an owner whose lease is over, while nobody else has claimed it", async () => {
    const { write, stored } = await startRun(subject);
    expect(await write({ run: run({ examined: 5 }) }, { now: NOW + 9 * MINUTE })).toEqual([]);
    expect((await stored())?.run.examined).toBe(5);
  });

  it("refuses a write to a run that was deleted", async () => {
    const { write } = await startRun(subject);
    await store().remove(subject.scope, ["run-1"]);
    expect(await refusalOf(write())).toBe("LeaseLost");
    expect(await store().get(subject.scope, "run-1")).toBeUndefined();
  });

  it("refuses a write that has not seen a change of the run, such as a request to cancel it", async () => {
    const { write, stored } = await startRun(subject);
    await store().replace(subject.scope, 1, run({ cancelRequested: true }), { now: NOW });
    expect(await refusalOf(write({ groups: [group(1)] }))).toBe("ETAG_MISMATCH");
    expect(await stored()).toEqual({ run: run({ cancelRequested: true }), version: 2 });
    expect(await write({ run: run({ cancelRequested: true, examined: 1 }), version: 2 })).toEqual([]);
    // Sent again because its answer was lost.
    expect(await refusalOf(write({ version: 2 }))).toBe("ETAG_MISMATCH");
  });

  it("is given back by a write that ends the run or lets it await approval, and by no other", async () => {
    const states = ["APPLYING", "AWAITING_APPROVAL", "SUCCEEDED", "FAILED", "CANCELLED"] as const;
    for (const state of states) {
      const id = `run-${state}`;
      const { write } = await startRun(subject, { id, userId: id });
      await write({ run: run({ id, userId: id, state, endTime: NOW }) });
      const other = await claim(subject, { id, owner: "b" });
      expect([state, other?.fence]).toEqual([state, state === "APPLYING" ? undefined : 2]);
    }
    // Ended already: who undoes it keeps the lease.
    const id = "run-SUCCEEDED";
    const mine = { id, fence: 2 };
    const ended = run({ id, userId: id, state: "SUCCEEDED", endTime: NOW });
    await store().write(subject.scope, mine, { run: ended, version: 2 }, { now: NOW });
    expect(await fenceOf({ id, owner: "c" })).toBeUndefined();
  });

  it("leaves a run to any process when it is over, in the order in which they are due", async () => {
    const other = freshNamespaceKey();
    const named = async (now: number, limit = 9) => {
      const found = await store().unfinished({ now, limit });
      return found.map(({ namespaceKey, id }) => [placeOf(namespaceKey, other), id]);
    };
    await start({ id: "free", userId: "free" });
    await startRun(subject, { id: "held", userId: "held" });
    await start({ id: "elsewhere" }, other);
    await claim(subject, { id: "elsewhere", scope: other, until: NOW + 1 });
    const waits = { id: "waits", userId: "waits", approvalExpireTime: NOW + 2 };
    await start({ ...waits, state: "AWAITING_APPROVAL" });
    await start({ id: "over", userId: "over" });
    await store().replace(subject.scope, 1, endedRun("over", NOW, { userId: "over" }), { now: NOW });

    expect(await named(NOW)).toEqual([["here", "free"]]);
    expect(await named(NOW + 1)).toEqual([
      ["here", "free"],
      ["there", "elsewhere"],
    ]);
    const all = [
      ["here", "free"],
      ["there", "elsewhere"],
      ["here", "waits"],
      ["here", "held"],
    ];
    expect(await named(NOW + MINUTE)).toEqual(all);
    expect(await named(NOW + MINUTE, 3)).toEqual(all.slice(0, 3));
    // Approved, and extended.
    await store().replace(subject.scope, 1, run({ ...waits, state: "APPLYING" }), { now: NOW });
    await claim(subject, { id: "held", until: NOW + 2 * MINUTE });
    await claim(subject, { id: "free", until: NOW + 2 });
    expect((await named(NOW + 2)).sort()).toEqual([
      ["here", "free"],
      ["here", "waits"],
      ["there", "elsewhere"],
    ]);
  });

  it("of runs in many namespaces lets all of them be found, a few at a time", async () => {
    const scopes = Array.from({ length: 12 }, freshNamespaceKey);
    await Promise.all(scopes.map((scope, at) => start({ id: `run-${at}` }, scope)));
    const found = new Set<string>();
    for (let round = 0; round < 4; round += 1) {
      for (const { namespaceKey, id } of await store().unfinished({ now: NOW, limit: 3 })) {
        found.add(`${namespaceKey.tenant}/${id}`);
        await claim(subject, { scope: namespaceKey, id });
      }
    }
    expect(found.size).toBe(12);
    expect(await store().unfinished({ now: NOW, limit: 3 })).toEqual([]);
  });

  it("does not matter to runs that have ended, which are found by their end, oldest first", async () => {
    const other = freshNamespaceKey();
    const end = async (id: string, endTime: number, scope = subject.scope) => {
      await store().start(scope, run({ id, userId: id }), { now: NOW });
      await store().replace(scope, 1, endedRun(id, endTime, { userId: id }), { now: NOW });
    };
    await end("b", NOW + 5);
    await end("a", NOW + 5, other);
    await end("c", NOW + 3, other);
    await end("d", NOW + 9);
    await start({ id: "e", userId: "e" });
    const named = async (options: Parameters<ReturnType<typeof store>["ended"]>[0]) =>
      (await store().ended(options)).map(({ namespaceKey, id, endTime }) => [
        placeOf(namespaceKey, other),
        id,
        endTime - NOW,
      ]);
    const all = [
      ["there", "c", 3],
      ["there", "a", 5],
      ["here", "b", 5],
      ["here", "d", 9],
    ];
    expect(await named({ before: NOW + 10, limit: 9 })).toEqual(all);
    expect(await named({ before: NOW + 9, limit: 9 })).toEqual(all.slice(0, 3));
    expect(await named({ before: NOW + 10, limit: 2 })).toEqual(all.slice(0, 2));
    const after = { endTime: NOW + 5, id: "a" };
    expect(await named({ after, before: NOW + 10, limit: 9 })).toEqual(all.slice(2));
    expect(await named({ after: { endTime: NOW + 5, id: "" }, before: NOW + 9, limit: 9 })).toEqual(
      all.slice(1, 3),
    );
    // Undone: its end stays.
    await store().replace(subject.scope, 2, endedRun("d", NOW + 9, { userId: "d", state: "UNDONE" }), {
      now: NOW,
    });
    expect(await named({ before: NOW + 10, limit: 9 })).toEqual(all);
  });

  const placeOf = (scope: NamespaceKey, other: NamespaceKey): string => {
    if (scope.tenant === other.tenant && scope.namespace === other.namespace) return "there";
    expect(scope).toEqual(subject.scope);
    return "here";
  };
}
