/** Maximum of a timer: 2^31 - 1 milliseconds, 24.8 days. */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1;

const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** Milliseconds of a `grpc-timeout` header (at most eight digits and a unit); Infinity without a valid one. */
export function timeoutMs(header: string | readonly string[] | undefined): number {
  if (typeof header !== "string") return Number.POSITIVE_INFINITY;
  const unitMs = UNIT_MS[header.at(-1) ?? ""];
  return unitMs !== undefined && /^\d{1,8}.$/.test(header)
    ? Number.parseInt(header, 10) * unitMs
    : Number.POSITIVE_INFINITY;
}

/** Whether a `grpc-timeout` header exceeds the maximum of a timer: such a call gets no deadline. */
export function isEndless(header: string): boolean {
  const milliseconds = timeoutMs(header);
  return Number.isFinite(milliseconds) && milliseconds > MAX_TIMEOUT_MS;
}
