import { isSeq } from "yaml";
import { BROKEN_ALIAS, parseYaml } from "./yaml-document.ts";

/** One row of a list, and its first line. */
export interface YamlRow {
  readonly line: number;
  /** Texts, lists and maps: scalars keep their source text. */
  readonly value: unknown;
}

/**
 * The rows of a YAML file that is a list, for files with secret content. An empty file has no rows.
 */
export function readYamlRows(text: string): {
  readonly rows: readonly YamlRow[];
  readonly problems: readonly string[];
} {
  const { document, problems, lineAt } = parseYaml(text);
  if (problems.length > 0) return { rows: [], problems };
  const { contents } = document;
  if (contents === null || text.trim() === "") return { rows: [], problems: [] };
  if (!isSeq(contents)) return { rows: [], problems: ["must be a list: each row begins with `- `"] };
  try {
    // The whole document at a time, so that aliases are resolved and exponential ones are detected.
    const values = document.toJS() as readonly unknown[];
    const rows = contents.items.map((item, index) => ({
      line: lineAt((item as { readonly range?: readonly number[] | null }).range?.[0]),
      value: values[index],
    }));
    return { rows, problems: [] };
  } catch {
    return { rows: [], problems: [BROKEN_ALIAS] };
  }
}
