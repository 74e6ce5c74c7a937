import { expect, it } from "vitest";
import { NEIGHBOR_REACH, type NeighborFilter } from "../../../src/domain/memory/neighbors.ts";
import { DAY, NOW, newMemory } from "../../support/builders.ts";
import { ALL, idsOf, type MemorySubject, write } from "./support.ts";

/** The memories beside others in their sessions. */
export function neighborCases(subject: MemorySubject): void {
  const around = async (
    ids: readonly string[],
    given: {
      readonly filter?: NeighborFilter;
      readonly count?: number;
      readonly maxBytes?: number;
      readonly now?: number;
    } = {},
  ): Promise<string[][]> => {
    const lists = await subject.store.reader.neighbors(subject.scope, ids, {
      filter: { states: ["ACTIVE"] },
      count: 2,
      maxBytes: Number.MAX_SAFE_INTEGER,
      now: NOW,
      ...given,
    });
    return lists.map(idsOf);
  };
  const session = (count: number, given: Parameters<typeof newMemory>[0] = {}) =>
    write(
      subject,
      ...Array.from({ length: count }, (_, at) =>
        newMemory({ id: `m${at + 1}`, sessionId: "s", ...given }, { onDuplicate: "ALLOW" }),
      ),
    );

  it("are those before and after, by position", async () => {
    await session(6);
    expect(await around(["m3"])).toEqual([["m1", "m2", "m4", "m5"]]);
    expect(await around(["m3"], { count: 1 })).toEqual([["m2", "m4"]]);
    expect(await around(["m1", "m6", "m2"])).toEqual([
      ["m2", "m3"],
      ["m4", "m5"],
      ["m1", "m3", "m4"],
    ]);
    expect(await around(["m3"], { count: 5 })).toEqual([["m1", "m2", "m4", "m5", "m6"]]);
  });

  it("are whole memories, with their access statistics", async () => {
    await session(2);
    subject.store.accessCounts.add(subject.scope, ["m2"], NOW);
    const read = await subject.store.reader.get(subject.scope, ["m2"], NOW);
    const options = { filter: { states: ["ACTIVE" as const] }, count: 1, maxBytes: ALL, now: NOW };
    expect(await subject.store.reader.neighbors(subject.scope, ["m1"], options)).toEqual([read]);
    expect(read[0]?.access).toEqual({ accessCount: 1, lastAccessTime: NOW });
  });

  it("are none without a session, or without a memory", async () => {
    await write(subject, newMemory({ id: "a" }), newMemory({ id: "b" }));
    expect(await around(["a", "none"])).toEqual([[], []]);
    expect(await around(["a"], {})).toEqual([[]]);
  });

  it("are of the same session alone", async () => {
    const items = ["s", "t", "s", "t", "S"].map((sessionId, at) => newMemory({ id: `m${at}`, sessionId }));
    await write(subject, ...items);
    expect(await around(["m0", "m3", "m4"])).toEqual([["m2"], ["m1"], []]);
  });

  it("leave gaps of deleted and expired memories out", async () => {
    await session(3);
    await write(subject, newMemory({ id: "expired", sessionId: "s", expireTime: NOW + 5 }));
    await write(subject, newMemory({ id: "last", sessionId: "s" }));
    await subject.store.writer.delete(subject.scope, "m2", { now: NOW });
    expect(await around(["m1"], { count: 3 })).toEqual([["m3", "expired", "last"]]);
    expect(await around(["m1"], { count: 3, now: NOW + 5 })).toEqual([["m3", "last"]]);
  });

  it("have a state, the user and the agent of the filter", async () => {
    const given = [
      { id: "start" },
      { id: "archived", state: "ARCHIVED" as const },
      { id: "ana", userId: "ana" },
      { id: "bot", agentId: "bot" },
      { id: "both", userId: "ana", agentId: "bot" },
    ];
    await write(subject, ...given.map((one) => newMemory({ ...one, sessionId: "s" })));
    const count = 5;
    const states = ["ACTIVE" as const];
    expect(await around(["start"], { count })).toEqual([["ana", "bot", "both"]]);
    expect(await around(["start"], { count, filter: { states: ["ARCHIVED"] } })).toEqual([["archived"]]);
    expect(await around(["start"], { count, filter: { states: [...states, "ARCHIVED"] } })).toEqual([
      ["archived", "ana", "bot", "both"],
    ]);
    expect(await around(["start"], { count, filter: { states, userId: "ana" } })).toEqual([["ana", "both"]]);
    expect(await around(["start"], { count, filter: { states, agentId: "bot" } })).toEqual([["bot", "both"]]);
    expect(await around(["start"], { count, filter: { states, userId: "ana", agentId: "bot" } })).toEqual([
      ["both"],
    ]);
    expect(await around(["both"], { filter: { states, userId: "ana", agentId: "bot" } })).toEqual([[]]);
  });

  it("are those of the time of the filter", async () => {
    await session(2);
    await write(
      subject,
      newMemory({ id: "from", sessionId: "s", validFrom: NOW + 2 }),
      newMemory({ id: "until", sessionId: "s", validUntil: NOW + 2 }),
    );
    const successor = newMemory(
      { id: "new", sessionId: "s", createTime: NOW + DAY, supersedes: ["m2"] },
      { onDuplicate: "ALLOW" },
    );
    await subject.store.writer.create(subject.scope, [successor], { now: NOW + DAY });
    const at = (asOf: number, states: NeighborFilter["states"] = ["ACTIVE"]) =>
      around(["m1"], { count: 5, now: NOW + DAY, filter: { states, asOf } });
    expect(await at(NOW)).toEqual([["m2", "until"]]);
    expect(await at(NOW + 2)).toEqual([["m2", "from"]]);
    expect(await at(NOW + DAY)).toEqual([["from", "new"]]);
    expect(await at(NOW + DAY, ["SUPERSEDED"])).toEqual([["m2"]]);
    expect(await at(NOW + DAY - 1, ["SUPERSEDED"])).toEqual([[]]);
    expect(await at(NOW - 1)).toEqual([[]]);
  });

  it("are looked for within reach", async () => {
    await session(1);
    const hidden = Array.from({ length: NEIGHBOR_REACH }, (_, at) =>
      newMemory({ id: `h${at}`, sessionId: "s", state: "ARCHIVED" }, { onDuplicate: "ALLOW" }),
    );
    await write(subject, ...hidden.slice(1), newMemory({ id: "near", sessionId: "s" }));
    await write(subject, ...hidden.slice(0, 1), newMemory({ id: "far", sessionId: "s" }));
    expect(await around(["m1"])).toEqual([["near"]]);
    expect(await around(["far"])).toEqual([["near"]]);
  });

  it("are read until they have the bytes, and at least for one id", async () => {
    await session(9, { text: "x".repeat(2000) });
    const ids = ["m2", "m5", "m8"];
    expect(await around(ids, { count: 1, maxBytes: 1 })).toEqual([["m1", "m3"]]);
    expect(await around(ids, { count: 1, maxBytes: 6000 })).toEqual([
      ["m1", "m3"],
      ["m4", "m6"],
    ]);
    // A neighbour of several takes its bytes once.
    expect(await around(["m2", "m2", "m2"], { count: 1, maxBytes: 6000 })).toEqual([
      ["m1", "m3"],
      ["m1", "m3"],
      ["m1", "m3"],
    ]);
  });

  it("are none in a namespace that does not exist", async () => {
    const options = { filter: { states: ["ACTIVE" as const] }, count: 1, maxBytes: ALL, now: NOW };
    expect(await subject.store.reader.neighbors(subject.scope, ["a", "b"], options)).toEqual([[], []]);
  });
}
