/** New identifiers. */
export interface Ids {
  /** A UUIDv7 of this moment (milliseconds since the epoch); later ones sort behind earlier ones. */
  next(now: number): string;
}
