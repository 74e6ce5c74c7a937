/** What a timer can hold: 2^31 - 1 milliseconds, 24.8 days. */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** What may be more than a timer can hold; eight digits of any other unit are a day at most. */
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000 };

/** Whether a `grpc-timeout` header (at most eight digits and a unit) says more than a timer can hold. */
export function isEndless(header: string): boolean {
  const unitMs = UNIT_MS[header.at(-1) ?? ""];
  return (
    unitMs !== undefined && /^\d{1,8}.$/.test(header) && Number.parseInt(header, 10) * unitMs > MAX_TIMEOUT_MS
  );
}
