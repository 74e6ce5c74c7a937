import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memory } from "../../../../test/support/builders.ts";
import { isCounted, memoryTokens, namespaceToken, tokenOf } from "./tokens.ts";

describe("tokens of a memory", () => {
  it("are a letter and 20 digits, whatever callers write", () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.string()), (text, tags) => {
        const tokens = memoryTokens("a1", {
          ...memory(),
          userId: text,
          tags,
          metadata: { [text]: text },
        });
        expect(tokens.filter((token) => !/^[a-z][0-9a-f]{20}$/.test(token))).toEqual([]);
        expect(new Set(tokens).size).toBe(tokens.length);
      }),
    );
  });

  it("are those of one namespace, one type and one value", () => {
    expect(tokenOf("a1", "user", "ana")).toBe(tokenOf("a1", "user", "ana"));
    const others = [tokenOf("a2", "user", "ana"), tokenOf("a1", "agent", "ana"), tokenOf("a1", "user", "an")];
    expect(others).not.toContain(tokenOf("a1", "user", "ana"));
    // The digests differ too, not only the letter.
    expect(tokenOf("a1", "user", "ana").slice(1)).not.toBe(tokenOf("a1", "agent", "ana").slice(1));
  });

  it("include every value that a filter can match, absent ones too", () => {
    const one = { ...memory(), userId: "", tags: ["a", "b"], metadata: { x: { y: 1 } }, pinned: true };
    const tokens = memoryTokens("a1", one);
    expect(tokens).toEqual(
      expect.arrayContaining([
        namespaceToken("a1"),
        tokenOf("a1", "state", one.state),
        tokenOf("a1", "user", ""),
        tokenOf("a1", "kind", one.kind),
        tokenOf("a1", "pinned", "true"),
        tokenOf("a1", "tag", "a"),
        tokenOf("a1", "tag", "b"),
        tokenOf("a1", "metadata", '["x","y"]=1'),
      ]),
    );
  });

  it("are counted for the namespace, state, user, agent and session", () => {
    const types = [
      "namespace",
      "state",
      "user",
      "agent",
      "session",
      "author",
      "kind",
      "tag",
      "metadata",
    ] as const;
    expect(types.filter((type) => isCounted(tokenOf("a1", type, "v")))).toEqual(types.slice(0, 5));
  });
});
