import { isSeq, LineCounter, parseDocument } from "yaml";

/** One row of a list, and the line it begins at. */
export interface YamlRow {
  readonly line: number;
  /** Made of texts, lists and maps: scalars are taken as they are written. */
  readonly value: unknown;
}

/**
 * The rows of a YAML file that is a list, for files whose content must not be repeated: what is wrong is said by
 * line and kind alone, where the parser's own words quote the file. An empty file has no rows.
 */
export function readYamlRows(text: string): {
  readonly rows: readonly YamlRow[];
  readonly problems: readonly string[];
} {
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: "failsafe", lineCounter: lines, prettyErrors: false });
  const lineAt = (position: number | undefined): number => lines.linePos(position ?? 0).line;
  if (document.errors.length > 0) {
    return {
      rows: [],
      problems: document.errors.map(({ code, pos }) => `line ${lineAt(pos[0])}: is no YAML (${code})`),
    };
  }
  const { contents } = document;
  if (contents === null || text.trim() === "") return { rows: [], problems: [] };
  if (!isSeq(contents)) return { rows: [], problems: ["must be a list: each row begins with `- `"] };
  try {
    // All at once, so that an alias finds its anchor, and one that blows up is noticed.
    const values = document.toJS() as readonly unknown[];
    const rows = contents.items.map((item, index) => ({
      line: lineAt((item as { readonly range?: readonly number[] | null }).range?.[0]),
      value: values[index],
    }));
    return { rows, problems: [] };
  } catch {
    return { rows: [], problems: ["has an alias that leads nowhere, or to too much"] };
  }
}
