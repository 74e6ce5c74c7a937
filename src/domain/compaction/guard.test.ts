import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ENGLISH } from "../../../test/support/english.ts";
import { compareStatements, type StatementComparison, type StatementConflict } from "./guard.ts";
import { readStatement } from "./statement.ts";

function compare(left: string, right: string): StatementComparison {
  return compareStatements(readStatement(left, ENGLISH), readStatement(right, ENGLISH), ENGLISH);
}

// Written by hand for this test, and not from bench/quality.
const SAME = [
  ["The user dislikes horror movies", "The user does not like horror films"],
  ["Alice's favorite color is green", "Green is Alice's favorite color"],
  [
    "Maria graduated from the University of Porto in 2015",
    "In 2015, Maria graduated from the University of Porto",
  ],
  ["The user's mother lives in Naples", "The mother of the user lives in Naples"],
  ["Peter is the CEO of Nordwind", "Nordwind's CEO is Peter"],
  ["The contract with Delta ends on 31 December 2026", "The Delta contract ends on December 31, 2026"],
  ["The company was founded in 1998 by Erik Larsen", "Erik Larsen founded the company in 1998"],
  ["User owns a red bicycle", "User has a red bike"],
  ["James is allergic to penicillin", "James has a penicillin allergy"],
  ["The database is backed up daily", "The database is backed up every day"],
  ["Tim's wife Julia is a lawyer", "Julia, Tim's wife, is a lawyer"],
  ["The gym is closed on public holidays", "On public holidays, the gym is closed"],
] as const;

const CONTAINED = [
  ["Tom has two sisters, and both of them live in Oslo", "Tom has two sisters"],
  ["Mia plays the piano because her mother taught it", "Mia plays the piano"],
  ["Olaf works at the harbour as a crane driver", "Olaf works at the harbour"],
] as const;

const APART: readonly (readonly [StatementConflict, string, string])[] = [
  ["NUMBER", "The user sleeps 6 hours", "The user sleeps 8 hours"],
  ["UNIT", "The jar holds 5 ml", "The jar holds 5 l"],
  ["DATE", "The store opens at 8 am", "The store opens at 8 pm"],
  ["NEGATION", "The patient has no fever", "The patient has fever"],
  ["ENTITY", "We met Carla in Nice", "We met Clara in Nice"],
  ["ANTONYM", "The user lives north of the river", "The user lives south of the river"],
  ["QUANTIFIER", "Only admins can delete projects", "Admins can only delete projects"],
  ["QUANTIFIER", "Admins can delete all projects", "Admins can delete some projects"],
  ["MODALITY", "The user might move to Paris", "The user will move to Paris"],
  ["ORDER", "The cat chased the dog", "The dog chased the cat"],
  ["ORDER", "The red team was defeated by the blue team", "The blue team was defeated by the red team"],
  ["ORDER", "The old man's car is broken", "The man's old car is broken"],
  ["ORDER", "Sara introduced Mark to Julia", "Sara introduced Julia to Mark"],
  ["ORDER", "Tim is older than Jon", "Jon is older than Tim"],
  ["PREPOSITION", "The flight goes from Oslo to Rome", "The flight goes from Rome to Oslo"],
  ["PREPOSITION", "The report is due by Friday", "The report is due on Friday"],
  ["PREPOSITION", "The user's sister has a dog", "The user has a dog and a sister"],
  ["PREPOSITION", "Jana reports to Ulrich", "Jana reports on Ulrich"],
  ["VERB", "The library has a cafe", "The library is a cafe"],
  ["PARTICLE", "The trainer called off the players", "The trainer called the players"],
  ["WORDING", "Emma works at the university", "Emma studies at the university"],
  ["LANGUAGE", "Am Montag kommt der Klempner", "Am Dienstag kommt der Klempner"],
];

/** Additions that take back or limit what is before them. */
const LIMITED = [
  ["The user likes coffee", "The user likes coffee, but only without sugar"],
  ["Ana lives in Paris", "Ana lives in Paris, Texas"],
  ["Leo owes Kim 50 euros", "Leo owes Kim 50 euros and 20 cents"],
  ["The shop is open", "The shop is open unless it snows"],
  ["Ivan works at the mill", "Ivan works at the mill, which was closed in May"],
] as const;

describe("compareStatements", () => {
  it.each(SAME)("%s = %s", (left, right) => {
    expect(compare(left, right)).toMatchObject({ relation: "SAME", conflicts: [] });
  });

  it.each(CONTAINED)("%s contains: %s", (fuller, shorter) => {
    expect(compare(fuller, shorter).relation).toBe("CONTAINS");
    expect(compare(shorter, fuller).relation).toBe("CONTAINED");
  });

  it.each(APART)("%s: %s | %s", (reason, left, right) => {
    const { relation, conflicts } = compare(left, right);
    expect(relation).toBe("DIFFERENT");
    expect(conflicts).toContain(reason);
  });

  it.each(LIMITED)("%s, limited: %s", (shorter, longer) => {
    expect(compare(shorter, longer).relation).toBe("DIFFERENT");
  });

  it("is certain of the same words, and not of synonyms", () => {
    expect(compare("Yuki hates the rain", "Yuki hates rain.")).toMatchObject({
      relation: "SAME",
      isCertain: true,
    });
    expect(compare("Ben completes the form on Monday", "Ben finishes the form on Monday")).toMatchObject({
      relation: "SAME",
      isCertain: false,
    });
    expect(compare("No  SUGAR", "no sugar")).toEqual({ relation: "EQUAL", isCertain: true, conflicts: [] });
  });

  const word = fc.constantFrom(
    ..."Ana Ben the a not likes hates from to Rome Oslo 5 6 km and dog's dog on Monday is has all some who before".split(
      " ",
    ),
  );
  const text = fc.array(word, { maxLength: 9 }).map((words) => words.join(" "));
  const MIRRORED = {
    EQUAL: "EQUAL",
    SAME: "SAME",
    DIFFERENT: "DIFFERENT",
    CONTAINS: "CONTAINED",
    CONTAINED: "CONTAINS",
  };

  it("compares both ways alike", () => {
    fc.assert(
      fc.property(text, text, (left, right) => {
        const [one, other] = [compare(left, right), compare(right, left)];
        expect(other).toEqual({ ...one, relation: MIRRORED[one.relation] });
      }),
    );
  });

  it("takes any text, and finds each equal to itself", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", maxLength: 60 }),
        fc.string({ maxLength: 60 }),
        (left, right) => {
          expect(compare(left, left).relation).toBe("EQUAL");
          expect(["EQUAL", "SAME", "CONTAINS", "CONTAINED", "DIFFERENT"]).toContain(
            compare(left, right).relation,
          );
        },
      ),
    );
  });
});
