import type { Caller } from "../domain/access/tenancy.ts";

/** The API keys that are accepted now. They may change while the server runs. */
export interface ApiKeys {
  /**
   * The caller with this key; undefined: none. Constant time. Returns the same object for the same key as long as the keys
   * have not changed.
   */
  callerOf(key: string): Caller | undefined;
  /** `listener` is called after each change of the keys. */
  onChange(listener: () => void): void;
  /** Warnings for operators, without secrets. */
  warnings(): readonly string[];
}
