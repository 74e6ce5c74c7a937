import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fakeSecrets, NO_SECRETS } from "../../../test/support/fake-secrets.ts";
import { SECRET_RULES } from "./secret-rules.ts";
import { examine, findSecrets, markerOf, redactedPatterns } from "./secrets.ts";

const SEEDS = Array.from({ length: 20 }, (_, seed) => seed);
const ALL = SEEDS.flatMap(fakeSecrets);
const patternsIn = (text: string): string[] => findSecrets(text).map(({ pattern }) => pattern);

describe("findSecrets", () => {
  it("finds each form, under its name and as a whole", () => {
    const missed = ALL.filter(({ pattern, text, secret }) => {
      const [found, ...more] = findSecrets(text);
      const part = text.slice(found?.start, found?.end);
      return found?.pattern !== pattern || more.length > 0 || !part.includes(secret);
    });
    expect(missed).toEqual([]);
  });

  it("has a labelled example of each rule", () => {
    const labelled = new Set(ALL.map(({ pattern }) => pattern));
    expect(SECRET_RULES.map(({ name }) => name).filter((name) => !labelled.has(name))).toEqual([]);
  });

  it.each(NO_SECRETS)("finds nothing in: %s", (text) => {
    expect(patternsIn(text)).toEqual([]);
  });

  it("finds several in one text, in order", () => {
    const some = fakeSecrets(1).filter(({ text }) => !text.includes("\n"));
    expect(patternsIn(some.map(({ text }) => text).join(" ; "))).toEqual(some.map(({ pattern }) => pattern));
  });

  it("finds none in random words and in random base64", () => {
    const word = fc.string({ unit: fc.constantFrom(..."abcdefghij0123456789+/= ._-"), maxLength: 200 });
    fc.assert(
      fc.property(word, (text) => {
        expect(patternsIn(text)).toEqual([]);
      }),
    );
  });

  it("takes time in proportion to a text that is made to be slow", () => {
    const slow = hostileTexts()
      .map(({ unit, ending }) => {
        const make = (length: number): string =>
          unit.repeat(Math.ceil(length / unit.length)).slice(0, length - ending.length) + ending;
        return { unit, ending, growth: growthOf(make) };
      })
      .filter(({ growth }) => growth > 4 * 8);
    expect(slow).toEqual([]);
  });
});

/**
 * How many times as long the largest text takes as one of an eighth: 8 for linear time, 64 for quadratic time; 0 when it takes
 * less than 100 ms of the processor, where quadratic time would take seconds.
 */
function growthOf(make: (length: number) => string): number {
  const cost = (length: number): number => {
    const text = make(length);
    const before = process.cpuUsage();
    findSecrets(text);
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  const least = (length: number): number => Math.min(...Array.from({ length: 5 }, () => cost(length)));
  if (cost(64 * 1024) < 100_000) return 0;
  return least(64 * 1024) / least(8 * 1024);
}

describe("examine", () => {
  it("redacts what it finds, and finds nothing more in the result", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom(...ALL.map(({ text }) => text)), fc.string()), { maxLength: 4 }),
        fc.constantFrom(" ", "\n", ", ", ""),
        (parts, between) => {
          const content = {
            text: parts.join(between),
            metadata: { note: parts.join(" "), deep: [{ parts }] },
          };
          const redacted = examine(content)?.redacted ?? content;
          expect(examine(redacted)).toBeUndefined();
        },
      ),
    );
  });

  it("leaves no part of a secret, and everything around it", () => {
    for (const { text, secret, pattern } of ALL) {
      const redacted = examine({ text: `Before: ${text}, after`, metadata: {} })?.redacted.text ?? "";
      expect(redacted).not.toContain(secret);
      expect(redacted).toContain(markerOf(pattern));
      expect([redacted.startsWith("Before: "), redacted.endsWith(", after")]).toEqual([true, true]);
    }
  });

  it("names each field and form once", () => {
    const [aws, , , bedrock] = fakeSecrets(3);
    const text = `${aws?.text} ${aws?.text}`;
    const metadata = { a: bedrock?.text ?? "", b: [aws?.text ?? ""] };
    expect(examine({ text, metadata })?.found).toEqual([
      { field: "text", pattern: "aws_access_key" },
      { field: "metadata", pattern: "aws_bedrock_key" },
      { field: "metadata", pattern: "aws_access_key" },
    ]);
  });

  it("knows values of metadata by their names", () => {
    const metadata = {
      password: "tea4two!",
      dbPassword: "tea4two!",
      client_secret: "a1b2c3d4e5f6g7h8i9j0",
      token: "short1",
      passwordHint: "tea4two!",
      nested: { pwd: ["tea4two!", 5, null, true] },
    };
    expect(examine({ text: "x", metadata })?.redacted.metadata).toEqual({
      ...metadata,
      password: "[redacted:password]",
      dbPassword: "[redacted:password]",
      client_secret: "[redacted:api_key]",
      nested: { pwd: ["[redacted:password]", 5, null, true] },
    });
  });

  it("redacts keys of metadata, and keeps their values apart", () => {
    const [one, two] = [fakeSecrets(1)[0]?.secret ?? "", fakeSecrets(2)[0]?.secret ?? ""];
    const metadata = { [one]: 1, [two]: 2, __proto__: 3, toString: 4 };
    expect(examine({ text: "x", metadata })?.redacted.metadata).toEqual({
      "[redacted:aws_access_key]": 1,
      "[redacted:aws_access_key]'": 2,
      toString: 4,
    });
  });
});

describe("redactedPatterns", () => {
  it("names the markers of known forms in text and metadata", () => {
    const content = {
      text: "a [redacted:jwt] and a [redacted:nothing], [redacted:",
      metadata: { a: { b: ["[redacted:password]"] } },
    };
    expect(redactedPatterns(content)).toEqual(["jwt", "password"]);
    expect(redactedPatterns({ text: "redacted", metadata: {} })).toEqual([]);
  });
});

/** Texts made to be slow: repeated beginnings of each form, and what each pattern repeats. */
function hostileTexts(): readonly { readonly unit: string; readonly ending: string }[] {
  const units = [
    ...SECRET_RULES.flatMap(({ hints }) => hints),
    ...[
      "eyJ",
      "eyJaaaaaaaaaaaa.",
      "eyJ-",
      "://a:",
      "://:",
      "password for ",
      "password is ",
      "password=",
      "api key ",
      "secret=",
    ],
    ...[
      "-----BEGIN PRIVATE KEY-----",
      "-----BEGIN PRIVATE KEY-----\n",
      "-----BEGIN A",
      "Bearer ",
      "bearer a1.",
      "sk-",
      "sk-a1",
      "glpat-a1-",
    ],
    ...[
      "xoxb-1a-",
      "Q~",
      "a1Q~",
      "8Q~a",
      "[redacted:",
      " ",
      "a",
      "=",
      "1234567890:AA",
      "?sig=",
      "AccountKey=a",
      "ya29.",
      "whsec_a1",
    ],
    ...["contraseña: ", "пароль ", "access token is ", "hooks.slack.com/services/"],
  ];
  const endings = ["", "!", "\n-----END PRIVATE KEY-----"];
  return [...new Set(units)].flatMap((unit) => endings.map((ending) => ({ unit, ending })));
}
