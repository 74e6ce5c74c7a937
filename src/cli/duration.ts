const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/**
 * Parses a duration such as `90s`, `12h` or `7d` to milliseconds; undefined when invalid. A number without a unit is
 * invalid, because it is ambiguous. The server checks the range.
 */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text.trim());
  if (match === null) return undefined;
  const milliseconds = Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
  return Number.isSafeInteger(Math.round(milliseconds)) ? Math.round(milliseconds) : undefined;
}

/** Formats a duration in its two largest units: `3 d 4 h`, `12 s`, `850 ms`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < UNITS.s) return `${Math.round(milliseconds)} ms`;
  const parts: string[] = [];
  let rest = Math.round(milliseconds / UNITS.s) * UNITS.s;
  for (const unit of ["d", "h", "m", "s"] as const) {
    const count = Math.floor(rest / UNITS[unit]);
    rest -= count * UNITS[unit];
    if (count > 0) parts.push(`${count} ${unit === "m" ? "min" : unit}`);
  }
  return parts.slice(0, 2).join(" ");
}
