import type { Caller } from "../domain/access/tenancy.ts";

/** The API keys that hold now. They may change while the server runs. */
export interface ApiKeys {
  /**
   * Whose key it is; undefined when it is nobody's, which takes as long to say. The same object for the same key as
   * long as the keys have not changed.
   */
  callerOf(key: string): Caller | undefined;
  /** What an operator should know; holds nothing that a stranger must not read. */
  warnings(): readonly string[];
}
