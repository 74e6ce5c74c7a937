import { describe, expect, it } from "vitest";
import type { CacheSettings } from "./cache-settings.ts";
import { GuardWatch } from "./guard-watch.ts";

const A = { tenant: "t", namespace: "a" };
const B = { tenant: "t", namespace: "b" };
const HOUR = 3_600_000;

/** A watch whose settings and time the test changes. */
function watched() {
  const state = {
    now: 0,
    settings: { enabled: true, guard: "balanced" } as Pick<CacheSettings, "enabled" | "guard">,
  };
  return { state, watch: new GuardWatch(() => state.settings, { now: () => state.now }) };
}

describe("the watch of guards that are off", () => {
  it("knows nothing at first, and warns of nothing", () => {
    const { watch } = watched();
    expect(watch.state()).toEqual({ server: false, namespaces: 0 });
    watch.saw(A, { guard: "closed" });
    expect(watch.warnings()).toEqual([]);
  });

  it("counts each namespace once, until its policy has changed", () => {
    const { watch } = watched();
    for (const namespace of [A, B, A]) watch.saw(namespace, { guard: "off" });
    expect(watch.state().namespaces).toBe(2);
    expect(watch.warnings()).toEqual([expect.stringMatching(/^the cache policy of 2 namespaces.*guard off/)]);
    watch.saw(A, { guard: "strict" });
    watch.saw(B, {});
    expect(watch.state().namespaces).toBe(0);
  });

  it("does not count a namespace that was not used for an hour", () => {
    const { state, watch } = watched();
    watch.saw(A, { guard: "off" });
    state.now = HOUR;
    watch.saw(B, { guard: "off" });
    expect(watch.state().namespaces).toBe(2);
    state.now = HOUR + 1;
    expect(watch.state().namespaces).toBe(1);
    watch.saw(A, { guard: "off" });
    expect(watch.state().namespaces).toBe(2);
  });

  it("follows the settings, and is silent while the cache is off", () => {
    const { state, watch } = watched();
    watch.saw(A, { guard: "off" });
    state.settings = { enabled: true, guard: "off" };
    expect(watch.state()).toEqual({ server: true, namespaces: 1 });
    expect(watch.warnings()[0]).toMatch(/^CACHE_GUARD=off/);
    state.settings = { enabled: false, guard: "off" };
    expect(watch.state()).toEqual({ server: false, namespaces: 0 });
  });

  it("names no tenant and no namespace", () => {
    const { watch } = watched();
    watch.saw({ tenant: "secret-tenant", namespace: "secret-name" }, { guard: "off" });
    expect(watch.warnings().join()).not.toMatch(/secret/);
  });

  it("keeps the last 10,000", () => {
    const { state, watch } = watched();
    for (let at = 0; at <= 10_000; at += 1) watch.saw({ tenant: "t", namespace: `n${at}` }, { guard: "off" });
    expect(watch.state().namespaces).toBe(10_000);
    expect(state.now).toBe(0);
  });
});
