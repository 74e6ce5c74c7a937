/** What use cases count. One method an event, never throwing; attributes have few values. */
export interface Meters {
  cacheLookup(outcome: "exact" | "semantic" | "miss", detail: string): void;
  vectorSearch(milliseconds: number): void;
}
