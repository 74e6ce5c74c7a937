/** A list of keys, or of arguments, under one name. In Lua: a table of strings. */
export interface List<Name extends string = string> {
  readonly list: Name;
}

/** A list of arguments with named fields. In Lua: a table of tables, each with these fields. */
export interface Rows<Name extends string = string, Field extends string = string> {
  readonly rows: Name;
  readonly fields: readonly Field[];
}

export function list<const Name extends string>(name: Name): List<Name> {
  return { list: name };
}

export function rows<const Name extends string, const Field extends string>(
  name: Name,
  fields: readonly Field[],
): Rows<Name, Field> {
  return { rows: name, fields };
}

/** Names are camelCase here and snake_case in Lua. */
export type KeyName = string | List;
export type ArgumentName = string | List | Rows;

export function nameOf(one: KeyName | ArgumentName): string {
  if (typeof one === "string") return one;
  return "list" in one ? one.list : one.rows;
}
