import { describe, expect, it } from "vitest";
import { type CallContext, idempotentRequest } from "./call.ts";

const context = (tenant = "t", principal = "p"): CallContext => ({
  caller: { tenant, principal, roles: new Set(), debug: false },
  signal: new AbortController().signal,
  arrival: 0,
  deadline: Number.POSITIVE_INFINITY,
});
const request = (body: object, requestId: string | undefined = "r", rpc = "Create", where = context()) =>
  idempotentRequest(where, rpc, requestId, body, 1000);

describe("idempotentRequest", () => {
  it("records nothing without a request id", () => {
    expect(idempotentRequest(context(), "Create", undefined, {}, 1000)).toBeUndefined();
  });

  it("expires after 24 hours", () => {
    expect(request({})?.expireTime).toBe(1000 + 24 * 3600 * 1000);
  });

  it.each([
    ["tenant", request({}, "r", "Create", context("u"))],
    ["principal", request({}, "r", "Create", context("t", "q"))],
    ["RPC", request({}, "r", "Delete")],
    ["request id", request({}, "s")],
    ["border between tenant and principal", request({}, "r", "Create", context("tp", ""))],
  ])("has another key with another %s", (_, other) => {
    expect(other?.key).not.toBe(request({})?.key);
  });

  it("has the same key for another body, and another hash", () => {
    expect(request({ a: 1 })?.key).toBe(request({ a: 2 })?.key);
    expect(request({ a: 1 })?.bodyHash).not.toBe(request({ a: 2 })?.bodyHash);
  });

  it("compares bodies by value", () => {
    expect(request({ a: { x: 1, y: [2] }, b: undefined })?.bodyHash).toBe(
      request({ a: { y: [2], x: 1 } })?.bodyHash,
    );
  });
});
