import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecollectError } from "./errors.ts";
import { openPageToken, type PagePosition, sealPageToken } from "./page-token.ts";

const position = fc.record({
  createTime: fc.integer({ min: 0, max: 4e12 }),
  id: fc.string({ unit: "grapheme", maxLength: 128 }),
});

/** Any code unit, lone surrogates included. */
const anyCharacter = fc.nat({ max: 0x10ffff }).map((code) => String.fromCodePoint(code));

function reasonOf(token: string, request: string): string {
  try {
    openPageToken(token, request);
    return "opened";
  } catch (error) {
    return error instanceof RecollectError ? error.reason : `another error: ${String(error)}`;
  }
}

/** A token in the format of sealPageToken, with other parts. */
function forged(parts: unknown): string {
  return Buffer.from(JSON.stringify(parts)).toString("base64url");
}

function partsOf(token: string): unknown[] {
  return JSON.parse(Buffer.from(token, "base64url").toString()) as unknown[];
}

const LAST: PagePosition = { createTime: 1_700_000_000_000, id: "m-1" };

describe("page tokens", () => {
  it("round-trip a position", () => {
    fc.assert(
      fc.property(position, fc.string(), (last, request) => {
        expect(openPageToken(sealPageToken(last, request), request)).toEqual(last);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("contain only the position of a row", () => {
    const row = { ...LAST, text: "secret" };
    expect(openPageToken(sealPageToken(row, "r"), "r")).toEqual(LAST);
  });

  it("fit into a URL", () => {
    fc.assert(
      fc.property(position, (last) => /^[A-Za-z0-9_-]+$/.test(sealPageToken(last, "r"))),
      { seed: 1, numRuns: 100 },
    );
  });

  it("are refused for another request", () => {
    fc.assert(
      fc.property(position, fc.string(), fc.string(), (last, request, other) => {
        fc.pre(request !== other);
        expect(reasonOf(sealPageToken(last, request), other)).toBe("PAGE_TOKEN_INVALID");
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it.each<[string, (parts: readonly unknown[]) => unknown]>([
    ["another version", ([, ...rest]) => [2, ...rest]],
    ["a time that is text", ([version, time, ...rest]) => [version, String(time), ...rest]],
    ["an id that is a number", ([version, time, , hash]) => [version, time, 7, hash]],
    ["another hash", (parts) => [...parts.slice(0, 3), "0123456789abcdef"]],
    ["no hash", (parts) => parts.slice(0, 3)],
    ["nothing in it", () => []],
    ["an object in it", (parts) => ({ ...parts })],
    ["null in it", () => null],
  ])("are refused with %s", (_, change) => {
    expect(reasonOf(forged(change(partsOf(sealPageToken(LAST, "r")))), "r")).toBe("PAGE_TOKEN_INVALID");
  });

  it("are refused when truncated", () => {
    const token = sealPageToken(LAST, "r");
    for (let length = 0; length < token.length; length += 1) {
      expect(reasonOf(token.slice(0, length), "r")).toBe("PAGE_TOKEN_INVALID");
    }
  });

  it("with one changed character are refused or contain a position", () => {
    const token = sealPageToken(LAST, "r");
    fc.assert(
      fc.property(
        fc.nat({ max: token.length - 1 }),
        fc.string({ minLength: 1, maxLength: 1 }),
        (at, other) => {
          const changed = token.slice(0, at) + other + token.slice(at + 1);
          expect(["opened", "PAGE_TOKEN_INVALID"]).toContain(reasonOf(changed, "r"));
        },
      ),
      { seed: 1, numRuns: 500 },
    );
  });

  it("are refused when they are arbitrary strings", () => {
    const odd = fc.oneof(
      fc.string({ unit: anyCharacter }),
      fc.base64String(),
      fc.json().map((text) => Buffer.from(text).toString("base64url")),
    );
    fc.assert(
      fc.property(odd, (token) => {
        expect(reasonOf(token, "r")).toBe("PAGE_TOKEN_INVALID");
      }),
      { seed: 1, numRuns: 500 },
    );
  });
});
