import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { InvalidArgumentError } from "commander";
import { parseDuration } from "./duration.ts";
import { parseTime } from "./time.ts";

const MAX_INT32 = 2 ** 31 - 1;

/** Collects the values of a repeated option. */
export function collect(value: string, earlier: readonly string[]): string[] {
  return [...earlier, value];
}

/** The same for an option with a fixed set of values. */
export function collectChoice<T extends string>(
  choices: readonly T[],
): (value: string, earlier: readonly T[]) => T[] {
  return (value, earlier) => {
    const choice = choices.find((candidate) => candidate === value);
    if (choice === undefined) throw new InvalidArgumentError(`Allowed choices are ${choices.join(", ")}.`);
    return [...earlier, choice];
  };
}

/** Parses an int32; the server checks the range. */
export function toInteger(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= MAX_INT32)) throw new InvalidArgumentError("Give a whole number.");
  return value;
}

/** Parses a number such as 0.85; the server checks the range. */
export function toNumber(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (!Number.isFinite(value)) throw new InvalidArgumentError("Give a number.");
  return value;
}

/** Parses a duration to milliseconds. */
export function toMilliseconds(text: string): number {
  const value = parseDuration(text);
  if (value === undefined)
    throw new InvalidArgumentError("Give a number with a unit, such as 90s, 12h or 7d.");
  return value;
}

/** Parses a time or a date; see parseTime. */
export function toTime(text: string): Timestamp {
  const time = parseTime(text);
  if (time === undefined)
    throw new InvalidArgumentError("Give a date or a time, such as 2026-01-31 or 2026-01-31T08:30:00Z.");
  return time;
}

/** Collects `NAME=value` of a repeated option; the last value of a name wins. */
export function collectSetting(
  text: string,
  earlier: Readonly<Record<string, string>>,
): Record<string, string> {
  const [, name, value] = /^([^=\s]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError("Write NAME=value.");
  return { ...earlier, [name]: value };
}
