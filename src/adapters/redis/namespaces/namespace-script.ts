import type { Reply } from "../connection/client.ts";
import { isText, listOf, textOf } from "../connection/replies.ts";
import {
  defineLibrary,
  defineScript,
  type InputOf,
  type Library,
  type Script,
  type ScriptDeclaration,
} from "../connection/script.ts";
import type { ArgumentName, KeyName } from "../connection/script-names.ts";

const NAMESPACE = defineLibrary({
  file: new URL("./namespace-library.lua", import.meta.url),
  keys: ["namespaces", "namespaceNames", "tenantNamespaces"],
  arguments: ["namespaceName", "namespaceId", "ownName", "namespacesElsewhere", "maxNamespaces"],
});

/** The input that Namespaces.run adds to a script: see namespace-library.lua. */
export type NamespaceInput = InputOf<never, never, typeof NAMESPACE>;

/**
 * The result of a script whose vectors, or fields of vectors, are of another generation of the model than those in Redis.
 */
export const MODEL_CHANGED = Symbol("the generation of the model is another one");

export type NamespaceReply<Output> =
  /** The current id of the namespace; undefined: it does not exist. */
  | { readonly kind: "stale"; readonly namespaceId: string | undefined }
  | { readonly kind: "tooMany" }
  | { readonly kind: "done"; readonly output: Output };

/** A script that runs inside a namespace (see Namespaces.run). */
export interface NamespaceScript<Input extends object, Output>
  extends Script<Input & NamespaceInput, NamespaceReply<Output>> {}

/** `reply` parses the replies of the script itself; those of namespace-library.lua are handled here. */
export function defineNamespaceScript<
  const Key extends KeyName = never,
  const Arg extends ArgumentName = never,
  const Lib extends Library = never,
  Output = void,
>(
  declaration: ScriptDeclaration<Key, Arg, Lib, Output>,
): NamespaceScript<Omit<InputOf<Key, Arg, Lib>, keyof NamespaceInput>, Output> {
  const { libraries = [], reply: parse } = declaration;
  const script = defineScript<Key, Arg, Library, NamespaceReply<Output>>({
    ...declaration,
    libraries: [NAMESPACE, ...libraries],
    reply: (reply) => {
      const word = Array.isArray(reply) ? (reply as readonly Reply[])[0] : undefined;
      if (isText(word, "STALE")) return { kind: "stale", namespaceId: textOf(listOf(reply)[1]) };
      if (isText(word, "TOO_MANY")) return { kind: "tooMany" };
      return { kind: "done", output: parse(reply) };
    },
  });
  return script as unknown as NamespaceScript<Omit<InputOf<Key, Arg, Lib>, keyof NamespaceInput>, Output>;
}

/**
 * For scripts that compare the generation of the model: MODEL_CHANGED where it is another one, else as `parse` reads
 * it.
 */
export function orModelChanged<Output>(
  parse: (reply: Reply) => Output,
): (reply: Reply) => Output | typeof MODEL_CHANGED {
  return (reply) => (isText(listOf(reply)[0], "MODEL") ? MODEL_CHANGED : parse(reply));
}
