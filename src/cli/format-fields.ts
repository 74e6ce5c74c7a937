const NAME_WIDTH = 15;

/** Names and values in two columns, a line each; undefined values are omitted. */
export function formatFields(rows: readonly (readonly [name: string, value: string])[]): string[] {
  return rows
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `${name.padEnd(NAME_WIDTH)}${value}`);
}
