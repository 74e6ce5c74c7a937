import type { Caller } from "../domain/access/tenancy.ts";

/** The API keys that are accepted now. They may change while the server runs. */
export interface ApiKeys {
  /**
   * The caller with this key; undefined when no caller has it, which takes as long to find out. The same object for the same key as
   * long as the keys have not changed.
   */
  callerOf(key: string): Caller | undefined;
  /** Warnings for operators, without secrets. */
  warnings(): readonly string[];
}
