import type { Config } from "../../src/config/config.ts";

/**
 * A copy of a configuration that adds to `read` the path of each value that is read by name, such as
 * `redis.tls.caFile`; a list is one value. Copying (`{ ...config.log }`, `Object.values`) does not count as a read,
 * because the copy may be unused. Reads of such a copy are not recorded.
 */
export function trackedConfig(config: Config, read: Set<string>): Config {
  return tracked(config, "", (path) => read.add(path));
}

function tracked<T extends object>(value: T, path: string, onRead: (path: string) => void): T {
  // Not frozen: a proxy of a frozen object must return its exact property values, not nested proxies.
  const copy = Object.fromEntries(
    Object.entries(value).map(([key, child]) => [
      key,
      isGroup(child) ? tracked(child, pathTo(path, key), onRead) : child,
    ]),
  ) as T;
  let copying: string | symbol | undefined;
  return new Proxy(copy, {
    // Only copying requests the descriptor of a property directly before its value.
    getOwnPropertyDescriptor: (target, key) => {
      copying = key;
      return Reflect.getOwnPropertyDescriptor(target, key);
    },
    get: (target, key) => {
      const isCopied = copying === key;
      copying = undefined;
      const child: unknown = Reflect.get(target, key);
      if (typeof key === "string" && !isCopied && !isGroup(child)) onRead(pathTo(path, key));
      return child;
    },
  });
}

/** The paths of all values of a configuration, with the values. */
export function leavesOf(value: object, path = ""): ReadonlyMap<string, unknown> {
  return new Map(
    Object.entries(value).flatMap(([key, child]): readonly (readonly [string, unknown])[] =>
      isGroup(child) ? [...leavesOf(child, pathTo(path, key))] : [[pathTo(path, key), child]],
    ),
  );
}

function isGroup(value: unknown): value is object {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function pathTo(parent: string, key: string): string {
  return parent === "" ? key : `${parent}.${key}`;
}
