import { expect, it } from "vitest";
import { compactionPolicyEtag, type NamespacePolicy } from "../../../src/domain/compaction/stored-policy.ts";
import { idempotentRequest, NOW, newMemory } from "../../support/builders.ts";
import { lookAlikeNamespaceKeys, reasonOf } from "../store-under-test.ts";
import { type CompactionSubject, createMemories } from "./support.ts";

const LIGHT: NamespacePolicy = { strategy: "DEDUP", level: "LIGHT" };
const WHOLE: NamespacePolicy = {
  strategy: "HYBRID",
  level: "AGGRESSIVE",
  keepRecentMs: 3_600_000,
  keepImportantMs: 0,
  minImportance: 0.3,
  maxAffectedFraction: 1,
  scheduled: false,
};

/** The policy of a namespace. */
export function policyCases(subject: CompactionSubject): void {
  const store = () => subject.store.compactions;
  const set = (policy: NamespacePolicy, expected?: string, scope = subject.scope) =>
    store().replacePolicy(scope, expected, policy, { now: NOW });
  const stored = (policy: NamespacePolicy) => ({ ...policy, etag: compactionPolicyEtag(policy) });

  it("does not exist before it is set, and reading creates no namespace", async () => {
    expect(await store().policy(subject.scope)).toBeUndefined();
    const { tenant } = subject.scope;
    expect(await subject.store.namespaces.list(tenant, { after: "", limit: 10 })).toEqual([]);
    await createMemories(subject, [newMemory()]);
    expect(await store().policy(subject.scope)).toBeUndefined();
  });

  it("is what was set last, complete, and creates the namespace", async () => {
    expect(await set(WHOLE)).toEqual(stored(WHOLE));
    expect(await store().policy(subject.scope)).toEqual(stored(WHOLE));
    const { tenant, namespace } = subject.scope;
    expect(await subject.store.namespaces.list(tenant, { after: "", limit: 10 })).toEqual([namespace]);
    expect(await set(LIGHT, stored(WHOLE).etag)).toEqual(stored(LIGHT));
    expect(await set({}, stored(LIGHT).etag)).toEqual(stored({}));
    expect(await store().policy(subject.scope)).toEqual(stored({}));
  });

  it("changes for the expected etag alone, and for one of several at once", async () => {
    expect(await reasonOf(set(LIGHT, "other"))).toBe("ETAG_MISMATCH");
    expect(await store().policy(subject.scope)).toBeUndefined();
    const outcomes = await Promise.all([LIGHT, WHOLE, LIGHT].map((policy) => reasonOf(set(policy))));
    expect(outcomes.filter((reason) => reason === undefined)).toHaveLength(1);
    expect(outcomes.filter((reason) => reason === "ETAG_MISMATCH")).toHaveLength(2);
    const { etag } = (await store().policy(subject.scope)) ?? { etag: "" };
    await expect(set(WHOLE)).rejects.toMatchObject({ detail: { metadata: { current_etag: etag } } });
  });

  it("belongs to its namespace, and is deleted with it", async () => {
    const [first, ...others] = lookAlikeNamespaceKeys();
    await set(LIGHT, undefined, first);
    for (const other of others) expect(await store().policy(other)).toBeUndefined();
    for (const other of others) await set(WHOLE, undefined, other);
    expect(await store().policy(first)).toEqual(stored(LIGHT));
    await subject.store.namespaces.delete(first, { now: NOW });
    expect(await store().policy(first)).toBeUndefined();
    await createMemories(subject, [newMemory()], { scope: first });
    expect(await store().policy(first)).toBeUndefined();
    expect(await set(WHOLE, undefined, first)).toEqual(stored(WHOLE));
  });

  it("is set once by a request, whose replay resolves with the policy as it is", async () => {
    const request = idempotentRequest();
    const once = () => store().replacePolicy(subject.scope, undefined, LIGHT, { now: NOW, request });
    expect(await Promise.all([once(), once()])).toEqual([stored(LIGHT), stored(LIGHT)]);
    await set(WHOLE, stored(LIGHT).etag);
    expect(await once()).toEqual(stored(WHOLE));
    const other = { now: NOW, request: { ...request, bodyHash: "another" } };
    expect(await reasonOf(store().replacePolicy(subject.scope, undefined, LIGHT, other))).toBe(
      "REQUEST_ID_REUSED",
    );
  });

  it("survives a restart", async () => {
    await set(WHOLE);
    await subject.reopen();
    expect(await store().policy(subject.scope)).toEqual(stored(WHOLE));
  });
}
