import { describe, expect, it } from "vitest";
import { ENGLISH } from "../../../test/support/english.ts";
import { readStatement } from "./statement.ts";
import { findUpdate, type StatementUpdate, type UpdateKind } from "./update.ts";

function update(older: string, newer: string): StatementUpdate | undefined {
  return findUpdate(readStatement(older, ENGLISH), readStatement(newer, ENGLISH), ENGLISH);
}

// Written by hand for this test, and not from bench/quality.
const UPDATES: readonly (readonly [UpdateKind, boolean, string, string])[] = [
  ["NUMBER", false, "The subscription costs 12 dollars", "The subscription costs 15 dollars"],
  ["NUMBER", true, "The team has six members", "The team now has eight members"],
  ["NUMBER", true, "The limit is 50 requests", "The limit was raised to 80 requests"],
  ["DATE", false, "The exam is on 3 May", "The exam is on 10 May"],
  ["DATE", true, "The exam is on 3 May", "The exam was postponed to 10 May"],
  ["VALUE", false, "Ida works at Volvo", "Ida works at Scania"],
  ["VALUE", true, "Ida lives in Malmö", "Ida has moved to Lund"],
  ["VALUE", true, "Our office is in Gent", "Since March our office is in Brugge"],
  ["VALUE", true, "As of May 2024, Ida works at Volvo", "As of June 2025, Ida works at Scania"],
  ["VALUE", true, "Ida lives in Lund since 2019", "Ida lives in Ystad since 2023"],
  ["VALUE", false, "The user's favourite sport is tennis", "The user's favourite sport is golf"],
  ["VALUE", false, "Ticket 88 is open", "Ticket 88 is closed"],
  ["VALUE", true, "The user prefers replies in German", "The user now prefers replies in Dutch"],
  ["NEGATION", true, "Rolf drinks beer", "Rolf no longer drinks beer"],
  ["NEGATION", true, "The site is reachable", "The site is not reachable any more"],
];

/** Both may hold: two events, two values, two subjects. */
const NONE: readonly (readonly [string, string])[] = [
  ["Ida bought 3 chairs", "Ida bought 5 chairs"],
  ["Ida ran 5 km in May", "Ida ran 8 km in May"],
  ["Ida speaks German", "Ida speaks Dutch"],
  ["Ida has a dog", "Ida has a cat"],
  ["Ida likes tea", "Ida likes coffee"],
  ["Ida is allergic to nuts", "Ida is allergic to milk"],
  ["Ida is tall", "Ida is friendly"],
  ["Ida lives in a small house", "Ida lives in Lund"],
  ["The rent of the flat is 900 euros", "The rent of the garage is 90 euros"],
  ["Room 12 is free", "Room 13 is free"],
  ["The deposit is 900 dollars", "The deposit is 900 euros"],
  ["The train goes from Oslo to Bergen", "The train goes from Bergen to Oslo"],
  ["If it rains, the match is on Sunday", "If it rains, the match is on Monday"],
  ["The user wants to visit Peru", "The user wants to visit Chile"],
  ["Did Ida work at Volvo?", "Ida works at Scania"],
  ["Ida worked at Volvo", "Ida worked at Scania"],
];

describe("findUpdate", () => {
  it.each(UPDATES)("%s, marked %s: %s -> %s", (kind, isMarked, older, newer) => {
    expect(update(older, newer)).toEqual({ kind, isMarked });
  });

  it.each(NONE)("none: %s | %s", (one, other) => {
    expect(update(one, other)).toBeUndefined();
    expect(update(other, one)).toBeUndefined();
  });
});
