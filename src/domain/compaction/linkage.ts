/** Two of the things that are grouped, by their numbers, that may be together. */
export interface Link {
  readonly one: number;
  readonly other: number;
  /** The most similar are joined first. */
  readonly similarity: number;
}

/**
 * Complete-link groups: each member of a group is linked with each other one, so a group never grows along a chain. Groups
 * have 2 to `maxSize` members, in the order of their numbers. Links are taken by similarity, then by number; a link whose
 * groups cannot be joined is skipped. What happens to one group does not depend on the members of another one.
 */
export function completeLinkGroups(links: readonly Link[], maxSize: number): readonly (readonly number[])[] {
  const linked = new Set(links.map(({ one, other }) => pairKey(one, other)));
  const groups = new Map<number, number[]>();
  const groupOf = (member: number): number[] => groups.get(member) ?? [member];
  const sorted = [...links].sort(
    (a, b) =>
      b.similarity - a.similarity ||
      Math.min(a.one, a.other) - Math.min(b.one, b.other) ||
      Math.max(a.one, a.other) - Math.max(b.one, b.other),
  );
  for (const { one, other } of sorted) {
    const [left, right] = [groupOf(one), groupOf(other)];
    if (left === right || left.includes(other) || left.length + right.length > maxSize) continue;
    if (!left.every((a) => right.every((b) => linked.has(pairKey(a, b))))) continue;
    const joined = [...left, ...right].sort((a, b) => a - b);
    for (const member of joined) groups.set(member, joined);
  }
  return [...new Set(groups.values())].sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
}

function pairKey(one: number, other: number): string {
  return one < other ? `${one} ${other}` : `${other} ${one}`;
}
