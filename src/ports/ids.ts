/** New identifiers. */
export interface Ids {
  /** A UUIDv7 for this time (milliseconds since the epoch); later ones sort after earlier ones. */
  next(now: number): string;
}
