import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fakeSecrets } from "../../../test/support/fake-secrets.ts";
import { guardContent, type SecretsAction } from "./write-guard.ts";

const AWS = fakeSecrets(1)[0];
const KEY = AWS?.secret ?? "";
const FLAG = "secret:aws_access_key";
const ACTIONS = ["FLAG", "REDACT", "QUARANTINE", "REJECT"] as const satisfies readonly SecretsAction[];
const both = { text: `key ${KEY}`, metadata: { a: KEY } };

describe("guardContent", () => {
  it.each(ACTIONS)("leaves a content without secrets alone, with %s", (action) => {
    const content = { text: "likes tea", metadata: { a: 1 } };
    expect(guardContent(content, action)).toEqual({ content, flags: [], found: [], isRefused: false });
  });

  it("flags, redacts or refuses", () => {
    const found = [
      { field: "text", pattern: "aws_access_key" },
      { field: "metadata", pattern: "aws_access_key" },
    ];
    const redacted = { text: "key [redacted:aws_access_key]", metadata: { a: "[redacted:aws_access_key]" } };
    const as = (action: (typeof ACTIONS)[number]) => guardContent(both, action);
    const stored = { content: both, flags: [FLAG], found, isRefused: false };
    expect(as("FLAG")).toEqual(stored);
    expect(as("QUARANTINE")).toEqual(stored);
    expect(as("REDACT")).toEqual({ ...stored, content: redacted });
    expect(as("REJECT")).toEqual({ ...stored, isRefused: true });
  });

  it("flags the field that a write does not change, and leaves it alone", () => {
    for (const action of ACTIONS) {
      const { content, flags, found, isRefused } = guardContent({ ...both, text: "x" }, action, ["text"]);
      expect([content.metadata, flags, found, isRefused]).toEqual([both.metadata, [FLAG], [], false]);
    }
    expect(guardContent(both, "REDACT", ["text"]).content).toEqual({
      text: "key [redacted:aws_access_key]",
      metadata: both.metadata,
    });
  });

  it("flags what was redacted before", () => {
    const { content } = guardContent(both, "REDACT");
    for (const action of ACTIONS) {
      expect(guardContent(content, action)).toEqual({ content, flags: [FLAG], found: [], isRefused: false });
    }
  });

  it("is idempotent, and gives the same flags with each action", () => {
    const texts = [1, 2, 3].flatMap(fakeSecrets).map(({ text }) => text);
    const text = fc
      .array(fc.constantFrom("likes tea", ...texts), { maxLength: 4 })
      .map((parts) => parts.join("\n"));
    fc.assert(
      fc.property(text, text, (one, other) => {
        const content = { text: one, metadata: { other } };
        const redacted = guardContent(content, "REDACT");
        expect(guardContent(redacted.content, "REDACT").content).toEqual(redacted.content);
        expect(guardContent(redacted.content, "REJECT").isRefused).toBe(false);
        expect(guardContent(content, "FLAG").flags).toEqual(redacted.flags);
      }),
    );
  });

  it("refuses what would exceed the limits of a memory with its markers", () => {
    const short = "pwd=a1b2c3 ";
    const text = short.repeat(Math.floor((64 * 1024) / short.length));
    expect(guardContent({ text, metadata: {} }, "REDACT").isRefused).toBe(true);
    expect(guardContent({ text, metadata: {} }, "FLAG").isRefused).toBe(false);
    const metadata = { a: short.repeat(1400) };
    expect(guardContent({ text: "x", metadata }, "REDACT").isRefused).toBe(true);
  });
});
