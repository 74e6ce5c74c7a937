import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Mutation, runMutant } from "../support/mutation/mutate.ts";
import { scale } from "../support/scale.ts";

const FOLDER = "src/adapters/embedded";
const SUITE = "test/contract/embedded.test.ts";

/**
 * Statements on the whole file without results for callers: structure checks, creation, and the cleanup of deleted
 * namespaces, which contracts do not reach (hidden-namespaces.test.ts keeps another namespace next to one).
 */
const WHOLE_FILE = /\/(schema|migrations|file-check|row-check|self-check|repair|hidden-namespaces)/;

/** The clause that restricts a statement to one namespace, or one tenant. */
const CLAUSE = /\b(?:[a-z]\.)?(?:namespace_id = (?:\?\d?|[a-z]\.namespace_id)|tenant = \?)/g;

/** Isolation checks outside SQL: the source text, and the text without the check. */
// biome-ignore-start lint/suspicious/noTemplateCurlyInString: it is source text
const OUTSIDE_SQL: readonly (readonly [file: string, from: string, to: string])[] = [
  [
    "cache/entry-cache.ts",
    "if (cached?.namespace.namespace !== namespace || cached.namespace.tenant !== tenant) return undefined;",
    "if (cached === undefined) return undefined;",
  ],
  ["cache/entry-cache.ts", " || cached.namespace.tenant !== tenant", ""],
  ["cache/policies.ts", "${namespaceKey.tenant}\\n${namespaceKey.namespace}", "${namespaceKey.namespace}"],
  ["cache/policies.ts", "${namespaceKey.tenant}\\n${namespaceKey.namespace}", "${namespaceKey.tenant}"],
  [
    "keywords/keyword-tables.ts",
    "const open = this.#tables.get(namespaceId);",
    "const open = [...this.#tables.values()][0];",
  ],
  ["vectors/scope-vectors.ts", "${namespaceId}:${fingerprint}", "${fingerprint}"],
];
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: it is source text

/**
 * Counts the namespaces of a tenant for its bound: only 100,000 namespaces of another tenant would have an effect, which
 * the contract does not create. It neither returns nor changes data.
 */
const NOT_SHOWN = "SELECT count(*) AS n FROM namespace WHERE ";

interface Mutant extends Mutation {
  readonly name: string;
}

const sourceOf = (file: string): string =>
  readFileSync(join(import.meta.dirname, "..", "..", FOLDER, file), "utf8");

function mutantOf(file: string, source: string, start: number, from: string, replacement: string): Mutant {
  const line = source.slice(0, start).split("\n").length;
  const name = `${file}:${line}, ${from}`;
  return { name, file: `${FOLDER}/${file}`, start, end: start + from.length, replacement };
}

/** Each clause of each statement, replaced by an always true one. */
function withoutClause(): Mutant[] {
  const files = readdirSync(join(import.meta.dirname, "..", "..", FOLDER), {
    encoding: "utf8",
    recursive: true,
  }).filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && !WHOLE_FILE.test(file));
  return files.flatMap((file) => {
    const source = sourceOf(file);
    const shown = [...source.matchAll(CLAUSE)].filter(
      ({ index }) => !source.slice(0, index).endsWith(NOT_SHOWN),
    );
    return shown.map((match) => mutantOf(file, source, match.index, match[0], `(${match[0]} OR TRUE)`));
  });
}

function outsideSql(): Mutant[] {
  return OUTSIDE_SQL.map(([file, from, to]) => {
    const source = sourceOf(file);
    const start = source.indexOf(from);
    if (start < 0) throw new Error(`${file} no longer holds ${from}`);
    return mutantOf(file, source, start, from, to);
  });
}

/** The two most used ones come first: the tenant of a scope, and the filter of memories. */
const isCentral = ({ file }: Mutant): boolean => /namespace-ids|row-filter/.test(file);
const MUTANTS = [...withoutClause(), ...outsideSql()].sort(
  (one, other) => Number(isCentral(other)) - Number(isCentral(one)),
);

describe("the contract of the embedded store", () => {
  it("covers every statement", () => {
    expect(MUTANTS.length).toBeGreaterThan(30);
    expect(MUTANTS.slice(0, 2).every(isCentral)).toBe(true);
  });

  it("passes on unchanged source, so that a failure comes from the mutation", async () => {
    // After a mutant, whose change must not persist.
    const [mutant] = MUTANTS;
    if (mutant === undefined) throw new Error("there are no mutants");
    expect((await runMutant(mutant, SUITE)).failed).not.toEqual([]);
    const unchanged = await runMutant({ ...mutant, end: mutant.start, replacement: "" }, SUITE);
    expect(unchanged.failed).toEqual([]);
    expect(unchanged.passed).toBeGreaterThan(300);
  });

  it.each(MUTANTS.slice(0, scale(1, MUTANTS.length)).map((mutant) => [mutant.name, mutant] as const))(
    "fails without %s",
    async (_name, mutant) => {
      const { passed, failed } = await runMutant(mutant, SUITE);
      // A suite without executed tests proves nothing.
      expect(passed).toBeGreaterThan(0);
      expect(failed).not.toEqual([]);
    },
  );
});
