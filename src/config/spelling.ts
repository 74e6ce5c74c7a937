/** The most similar known name of an unknown one: at an edit distance of at most two. */
export function nearest(wrong: string, known: readonly string[]): string | undefined {
  if (wrong.length < 6) return undefined;
  let best: string | undefined;
  let least = 3;
  for (const name of known) {
    if (Math.abs(name.length - wrong.length) >= least) continue;
    const steps = distance(wrong.toLowerCase(), name.toLowerCase());
    if (steps < least) {
      best = name;
      least = steps;
    }
  }
  return best;
}

/** Levenshtein distance. */
function distance(one: string, other: string): number {
  let above = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row += 1) {
    const line = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const change = (above[column - 1] ?? 0) + (one[row - 1] === other[column - 1] ? 0 : 1);
      line.push(Math.min(change, (above[column] ?? 0) + 1, (line[column - 1] ?? 0) + 1));
    }
    above = line;
  }
  return above[other.length] ?? 0;
}
