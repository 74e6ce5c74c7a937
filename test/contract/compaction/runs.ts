import { expect, it } from "vitest";
import type { CompactionRun } from "../../../src/domain/compaction/run.ts";
import { RecollectError } from "../../../src/domain/errors.ts";
import { idempotentRequest, NOW } from "../../support/builders.ts";
import { lookAlikeNamespaceKeys, reasonOf } from "../store-under-test.ts";
import { type CompactionSubject, endedRun, group, MINUTE, run, startRun } from "./support.ts";

/** How runs are started, read, replaced and deleted. */
export function runCases(subject: CompactionSubject): void {
  const store = () => subject.store.compactions;
  const start = (given: Partial<CompactionRun> = {}, scope = subject.scope) =>
    store().start(scope, run(given), { now: NOW });
  /** The id of the run that a start meets. */
  const met = async (given: Partial<CompactionRun>): Promise<string | undefined> => {
    try {
      await start(given);
      return undefined;
    } catch (error) {
      if (!(error instanceof RecollectError) || error.reason !== "COMPACTION_RUNNING") throw error;
      return error.detail.metadata?.["id"];
    }
  };
  const ids = async (options: Parameters<ReturnType<typeof store>["list"]>[1] = { limit: 10 }) =>
    (await store().list(subject.scope, options)).map(({ run: { id } }) => id);

  it("is stored complete, in a namespace that it creates", async () => {
    const { tenant, namespace } = subject.scope;
    const whole = run({
      userId: "ana",
      endTime: NOW + 1,
      approvalExpireTime: NOW + 2,
      undoExpireTime: NOW + 3,
      counts: [{ action: "MERGE", reason: "SAME_WORDS", groups: 2, memories: 3 }],
      error: { reason: "STORE_FULL", message: "full 茶" },
    });
    expect(await store().start(subject.scope, whole, { now: NOW })).toEqual({ run: whole, version: 1 });
    expect(await store().get(subject.scope, whole.id)).toEqual({ run: whole, version: 1 });
    expect(await subject.store.namespaces.list(tenant, { after: "", limit: 10 })).toEqual([namespace]);
  });

  it("does not exist before, and reading creates no namespace", async () => {
    expect(await store().get(subject.scope, "run-1")).toBeUndefined();
    expect(await ids()).toEqual([]);
    expect(await store().groups(subject.scope, "run-1", { after: 0, limit: 9, maxBytes: 9 })).toEqual([]);
    const { tenant } = subject.scope;
    expect(await subject.store.namespaces.list(tenant, { after: "", limit: 10 })).toEqual([]);
  });

  it("excludes overlapping runs until it has ended: of its user, and of every user on either side", async () => {
    await start({ id: "ana", userId: "ana" });
    await start({ id: "none", userId: "" });
    expect(await met({ id: "again", userId: "ana" })).toBe("ana");
    expect(await met({ id: "again", userId: "" })).toBe("none");
    expect(["ana", "none"]).toContain(await met({ id: "again" }));
    for (const [id, userId] of [
      ["ana", "ana"],
      ["none", ""],
    ] as const) {
      await store().replace(subject.scope, 1, endedRun(id, NOW, { userId }), { now: NOW });
    }
    await start({ id: "all" });
    expect(await met({ id: "ben", userId: "ben" })).toBe("all");
    expect(await met({ id: "other" })).toBe("all");
    await store().replace(subject.scope, 1, run({ id: "all", state: "AWAITING_APPROVAL" }), { now: NOW });
    expect(await met({ id: "other" })).toBe("all");
    await store().replace(subject.scope, 2, endedRun("all", NOW, { state: "CANCELLED" }), { now: NOW });
    expect(await met({ id: "other" })).toBeUndefined();
  });

  it("of another namespace overlaps none", async () => {
    for (const scope of lookAlikeNamespaceKeys()) await start({ id: "run-1" }, scope);
    for (const scope of lookAlikeNamespaceKeys()) {
      expect(await store().get(scope, "run-1")).toBeUndefined();
      await start({ id: "run-1" }, scope);
    }
  });

  it("is one of many that are started at once over overlapping scopes", async () => {
    const users = [undefined, "ana", "ben", undefined, "ana", "ben", undefined, "ana"];
    const outcomes = await Promise.all(
      users.map(async (userId, at) => {
        const refusal = await met({ id: `run-${at}`, ...(userId === undefined ? {} : { userId }) });
        return refusal === undefined ? [userId] : [];
      }),
    );
    const started = outcomes.flat();
    // Either one over every user, or one for each user.
    if (started.includes(undefined)) expect(started).toHaveLength(1);
    else expect(started.sort()).toEqual(["ana", "ben"]);
    expect(await ids()).toHaveLength(started.length);
  });

  it("is started once by a request, whose replay resolves with the run as it is", async () => {
    const request = idempotentRequest();
    const once = (id: string) => store().start(subject.scope, run({ id }), { now: NOW, request });
    const [first, second] = await Promise.all([once("run-1"), once("run-2")]);
    expect(first).toEqual({ run: run({ id: first?.run.id ?? "" }), version: 1 });
    expect(second).toEqual(first);
    expect(await ids()).toEqual([first?.run.id]);
    const ended = endedRun(first?.run.id ?? "", NOW);
    await store().replace(subject.scope, 1, ended, { now: NOW });
    expect(await once("run-3")).toEqual({ run: ended, version: 2 });
    const other = store().start(subject.scope, run({ id: "run-4" }), {
      now: NOW,
      request: { ...request, bodyHash: "another" },
    });
    expect(await reasonOf(other)).toBe("REQUEST_ID_REUSED");
    await store().remove(subject.scope, [ended.id]);
    expect(await reasonOf(once("run-5"))).toBe("COMPACTION_NOT_FOUND");
    expect(await ids()).toEqual([]);
  });

  it("records no request that was refused", async () => {
    const request = idempotentRequest();
    await start({ id: "first" });
    const second = () => store().start(subject.scope, run({ id: "second" }), { now: NOW, request });
    expect(await reasonOf(second())).toBe("COMPACTION_RUNNING");
    await store().replace(subject.scope, 1, endedRun("first", NOW), { now: NOW });
    expect((await second()).run.id).toBe("second");
  });

  it("is replaced in the expected version alone, by one of several at once", async () => {
    await start();
    const cancelled = run({ cancelRequested: true });
    const replace = (version: number) => store().replace(subject.scope, version, cancelled, { now: NOW });
    expect(await reasonOf(replace(2))).toBe("ETAG_MISMATCH");
    const outcomes = await Promise.all([1, 1, 1].map((version) => reasonOf(replace(version))));
    expect(outcomes.filter((reason) => reason === undefined)).toHaveLength(1);
    expect(outcomes.filter((reason) => reason === "ETAG_MISMATCH")).toHaveLength(2);
    expect(await store().get(subject.scope, "run-1")).toEqual({ run: cancelled, version: 2 });
    await expect(replace(1)).rejects.toMatchObject({
      detail: { metadata: { id: "run-1", current_etag: "2" } },
    });
    const unknown = store().replace(subject.scope, 1, run({ id: "unknown" }), { now: NOW });
    expect(await reasonOf(unknown)).toBe("COMPACTION_NOT_FOUND");
    const { tenant } = subject.scope;
    const elsewhere = store().replace({ tenant, namespace: "none" }, 1, run(), { now: NOW });
    expect(await reasonOf(elsewhere)).toBe("COMPACTION_NOT_FOUND");
  });

  it("is replaced once by a request, whose replay resolves with the run as it is", async () => {
    await start();
    const request = idempotentRequest();
    const once = () =>
      store().replace(subject.scope, 1, run({ cancelRequested: true }), { now: NOW, request });
    const first = await once();
    expect(first).toEqual({ run: run({ cancelRequested: true }), version: 2 });
    expect(await once()).toEqual(first);
    await store().replace(subject.scope, 2, endedRun("run-1", NOW), { now: NOW });
    expect(await once()).toEqual({ run: endedRun("run-1", NOW), version: 3 });
    const other = { ...request, bodyHash: "another" };
    const reused = store().replace(subject.scope, 3, run(), { now: NOW, request: other });
    expect(await reasonOf(reused)).toBe("REQUEST_ID_REUSED");
  });

  it("is listed newest first, page by page, those of one time by id", async () => {
    const runs = [
      ["a", 3],
      ["b", 1],
      ["c", 2],
      ["d", 2],
      ["e", 2],
      ["f", 0],
    ] as const;
    for (const [id, at] of runs) await start({ id, userId: id, createTime: NOW + at });
    expect(await ids()).toEqual(["a", "e", "d", "c", "b", "f"]);
    const found: string[] = [];
    for (let after: { createTime: number; id: string } | undefined; ; ) {
      const page = await store().list(subject.scope, { limit: 2, ...(after === undefined ? {} : { after }) });
      found.push(...page.map(({ run: { id } }) => id));
      after = page.at(-1)?.run;
      if (page.length < 2) break;
    }
    expect(found).toEqual(["a", "e", "d", "c", "b", "f"]);
    // After one that was deleted.
    await store().remove(subject.scope, ["d"]);
    expect(await ids({ limit: 9, after: { createTime: NOW + 2, id: "d" } })).toEqual(["c", "b", "f"]);
  });

  it("is deleted with its groups, in any state, and frees its scope", async () => {
    const { write } = await startRun(subject, { id: "gone" });
    await write({ groups: [group(1), group(2)] });
    await store().remove(subject.scope, ["gone", "unknown"]);
    expect(await store().get(subject.scope, "gone")).toBeUndefined();
    expect(await ids()).toEqual([]);
    const options = { after: 0, limit: 9, maxBytes: 1000 };
    expect(await store().groups(subject.scope, "gone", options)).toEqual([]);
    expect(await store().unfinished({ now: NOW + MINUTE, limit: 9 })).toEqual([]);
    await start({ id: "gone" });
    expect(await store().groups(subject.scope, "gone", options)).toEqual([]);
    await store().replace(subject.scope, 1, endedRun("gone", NOW), { now: NOW });
    await store().remove(subject.scope, ["gone"]);
    expect(await store().ended({ before: NOW + MINUTE, limit: 9 })).toEqual([]);
  });

  it("is deleted with its namespace, also for the one that is created again", async () => {
    const { write, lease } = await startRun(subject);
    await write({ groups: [group(1)] });
    await store().replace(subject.scope, 2, endedRun("run-1", NOW), { now: NOW });
    await startRun(subject, { id: "run-2" });
    await subject.store.namespaces.delete(subject.scope, { now: NOW });
    const nothing = async () => {
      expect(await ids()).toEqual([]);
      expect(await store().get(subject.scope, "run-1")).toBeUndefined();
      const options = { after: 0, limit: 9, maxBytes: 1000 };
      expect(await store().groups(subject.scope, "run-1", options)).toEqual([]);
      expect(await store().unfinished({ now: NOW + MINUTE, limit: 9 })).toEqual([]);
      expect(await store().ended({ before: NOW + MINUTE, limit: 9 })).toEqual([]);
    };
    await nothing();
    await expect(
      store().write(subject.scope, lease, { run: run(), version: 2 }, { now: NOW }),
    ).rejects.toThrow(expect.objectContaining({ name: "LeaseLost" }));
    await store().replacePolicy(subject.scope, undefined, {}, { now: NOW });
    await nothing();
    await start({ id: "run-3" });
    expect(await ids()).toEqual(["run-3"]);
  });

  it("survives a restart, with its groups and its lease", async () => {
    const { write, lease } = await startRun(subject);
    await write({ groups: [group(1), group(2)] });
    await subject.reopen();
    expect(await store().get(subject.scope, "run-1")).toEqual({ run: run(), version: 2 });
    const options = { after: 0, limit: 9, maxBytes: 10_000 };
    expect(await store().groups(subject.scope, "run-1", options)).toEqual([group(1), group(2)]);
    expect(await write({ run: run({ state: "APPLYING" }) })).toEqual([]);
    expect(await store().claim(subject.scope, "run-1", { owner: "b", now: NOW, until: NOW + 1 })).toBe(
      undefined,
    );
    expect(lease.fence).toBe(1);
  });
}
