import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type ArgumentName, type KeyName, type List, nameOf, type Rows } from "./script-names.ts";
import { preamble } from "./script-preamble.ts";
import type { Argument, Reply } from "./servers.ts";

export { list, rows } from "./script-names.ts";

/** The effect of a script. Scripts that only read or free memory also run when Redis has no memory left. */
export type Effect = "reads" | "writes" | "frees";

const FLAGS: Readonly<Record<Effect, string>> = {
  reads: "#!lua flags=no-writes",
  writes: "#!lua",
  frees: "#!lua flags=allow-oom",
};

/** Lua functions that several scripts share, with the keys and arguments that they read. */
export interface Library<Key extends KeyName = KeyName, Arg extends ArgumentName = ArgumentName> {
  readonly file: URL;
  readonly keys: readonly Key[];
  readonly arguments: readonly Arg[];
}

export function defineLibrary<const Key extends KeyName = never, const Arg extends ArgumentName = never>({
  file,
  keys = [],
  arguments: args = [],
}: {
  readonly file: URL;
  readonly keys?: readonly Key[];
  readonly arguments?: readonly Arg[];
}): Library<Key, Arg> {
  return { file, keys, arguments: args };
}

/** A Lua script as sent to Redis, with its keys and arguments and the type of its reply. */
export interface Script<Input extends object, Output> {
  readonly text: string;
  /** SHA-1 of the text, for EVALSHA. */
  readonly digest: string;
  readonly effect: Effect;
  /** The arguments of EVAL after the script: the number of keys, the keys, the arguments. */
  readonly encode: (input: Input) => readonly Argument[];
  readonly decode: (reply: Reply) => Output;
}

type KeysOf<Key> = { readonly [Name in Extract<Key, string>]: string } & {
  readonly [One in Extract<Key, List> as One["list"]]: readonly string[];
};

type ArgumentsOf<Arg> = { readonly [Name in Extract<Arg, string>]: Argument } & {
  readonly [One in Extract<Arg, List> as One["list"]]: readonly Argument[];
} & {
  readonly [One in Extract<Arg, Rows> as One["rows"]]: readonly {
    readonly [Field in One["fields"][number]]: Argument;
  }[];
};

type KeyOf<Lib> = Lib extends Library<infer Key, ArgumentName> ? Key : never;
type ArgumentOf<Lib> = Lib extends Library<KeyName, infer Arg> ? Arg : never;

/** The input of a script: a value for each name. */
export type InputOf<Key, Arg, Lib = never> = KeysOf<Key | KeyOf<Lib>> & ArgumentsOf<Arg | ArgumentOf<Lib>>;

export interface ScriptDeclaration<
  Key extends KeyName,
  Arg extends ArgumentName,
  Lib extends Library,
  Output,
> {
  readonly file: URL;
  readonly libraries?: readonly Lib[];
  readonly effect: Effect;
  /** All keys of the script, or their prefixes; a cluster routes by them. A list comes last. */
  readonly keys?: readonly Key[];
  readonly arguments?: readonly Arg[];
  readonly reply: (reply: Reply) => Output;
}

/** Reads a script and its libraries, and prepends a preamble that names each key and argument. */
export function defineScript<
  const Key extends KeyName = never,
  const Arg extends ArgumentName = never,
  const Lib extends Library = never,
  Output = void,
>({
  file,
  libraries = [],
  effect,
  keys = [],
  arguments: args = [],
  reply,
}: ScriptDeclaration<Key, Arg, Lib, Output>): Script<InputOf<Key, Arg, Lib>, Output> {
  const allKeys = distinct([...libraries.flatMap((library) => library.keys), ...keys]);
  const allArguments = distinct([...libraries.flatMap((library) => library.arguments), ...args]);
  const parts = [...libraries.map((library) => library.file), file].map((part) => readFileSync(part, "utf8"));
  const text = [FLAGS[effect], preamble(allKeys, allArguments), ...parts].join("\n");
  return {
    text,
    digest: hash("sha1", text),
    effect,
    encode: encoder(allKeys, allArguments),
    decode: reply,
  };
}

/** Two libraries may read the same key. */
function distinct<Name extends KeyName | ArgumentName>(names: readonly Name[]): Name[] {
  return [...new Map(names.map((one) => [nameOf(one), one])).values()];
}

/** In the order of the preamble: single keys, the list of keys, single arguments, lists with their lengths. */
function encoder<Input extends object>(
  keys: readonly KeyName[],
  args: readonly ArgumentName[],
): (input: Input) => readonly Argument[] {
  const singleKeys = keys.filter((key) => typeof key === "string");
  const keyLists = keys.filter((key) => typeof key !== "string").map(({ list: name }) => name);
  const singles = args.filter((arg) => typeof arg === "string");
  const lists = args.filter((arg) => typeof arg !== "string");
  return (input) => {
    const values = input as Readonly<Record<string, Argument>>;
    const all = input as Readonly<Record<string, readonly Argument[]>>;
    const sent: Argument[] = [0];
    for (const name of singleKeys) sent.push(values[name] ?? "");
    for (const name of keyLists) for (const key of all[name] ?? []) sent.push(key);
    sent[0] = sent.length - 1;
    for (const name of singles) sent.push(values[name] ?? "");
    for (const one of lists) {
      const items = all[nameOf(one)] ?? [];
      sent.push(items.length);
      if ("list" in one) for (const item of items) sent.push(item);
      else pushRows(sent, one.fields, items as unknown as readonly Readonly<Record<string, Argument>>[]);
    }
    return sent;
  };
}

function pushRows(
  sent: Argument[],
  fields: readonly string[],
  items: readonly Readonly<Record<string, Argument>>[],
): void {
  for (const item of items) for (const field of fields) sent.push(item[field] ?? "");
}
