import { type ArgumentName, type KeyName, nameOf } from "./script-names.ts";

/** Reads the next list of arguments, which begins with its length. */
const NEXT_LIST = `local function next_list()
  local items = {}
  for at = 1, tonumber(ARGV[next_argument]) do items[at] = ARGV[next_argument + at] end
  next_argument = next_argument + #items + 1
  return items
end`;

/** The same for rows: their number, then the fields of each. */
const NEXT_ROWS = `local function next_rows(...)
  local fields, items, at = { ... }, {}, next_argument + 1
  for row = 1, tonumber(ARGV[next_argument]) do
    local item = {}
    for _, field in ipairs(fields) do
      item[field] = ARGV[at]
      at = at + 1
    end
    items[row] = item
  end
  next_argument = at
  return items
end`;

/**
 * Lua that gives each key and argument a local name: the only code with their positions in KEYS and ARGV. Throws
 * RangeError for an invalid declaration.
 */
export function preamble(keys: readonly KeyName[], args: readonly ArgumentName[]): string {
  const names = [...keys, ...args].map(nameOf);
  if (new Set(names).size < names.length) throw new RangeError(`a name comes twice: ${names.join(", ")}`);
  const lists = keys.filter((key) => typeof key !== "string");
  if (lists.length > 1 || (lists.length === 1 && keys.at(-1) !== lists[0])) {
    throw new RangeError("one list of keys at most, and it comes last");
  }
  return [...keyLines(keys), ...argumentLines(args)].join("\n");
}

function keyLines(keys: readonly KeyName[]): string[] {
  const singles = keys.filter((key) => typeof key === "string");
  const lists = keys.filter((key) => typeof key !== "string");
  return [
    ...singleLines("KEYS", singles),
    ...lists.flatMap(({ list: name }) => [
      `local ${luaName(name)} = {}`,
      `for at = ${singles.length + 1}, #KEYS do ${luaName(name)}[at - ${singles.length}] = KEYS[at] end`,
    ]),
  ];
}

function argumentLines(args: readonly ArgumentName[]): string[] {
  const singles = args.filter((arg) => typeof arg === "string");
  const lists = args.filter((arg) => typeof arg !== "string");
  const hasLists = lists.some((one) => "list" in one);
  const hasRows = lists.some((one) => "rows" in one);
  return [
    ...singleLines("ARGV", singles),
    ...(lists.length > 0 ? [`local next_argument = ${singles.length + 1}`] : []),
    ...(hasLists ? [NEXT_LIST] : []),
    ...(hasRows ? [NEXT_ROWS] : []),
    ...lists.map((one) =>
      "list" in one
        ? `local ${luaName(one.list)} = next_list()`
        : `local ${luaName(one.rows)} = next_rows(${one.fields.map((field) => `'${luaName(field)}'`).join(", ")})`,
    ),
  ];
}

function singleLines(table: "KEYS" | "ARGV", names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const values = names.map((_, at) => `${table}[${at + 1}]`);
  return [`local ${names.map(luaName).join(", ")} = ${values.join(", ")}`];
}

/** `pendingSince`: pending_since. */
function luaName(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
