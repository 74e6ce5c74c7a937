/** What a timer can hold: 2^31 - 1 milliseconds, 24.8 days. */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1;

const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** Whether a `grpc-timeout` header says more than a timer can hold. */
export function isEndless(header: string): boolean {
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(header) ?? [];
  return Number(digits) * (UNIT_MS[unit ?? ""] ?? 0) > MAX_TIMEOUT_MS;
}
