import { APIConnectionError, APIError } from "openai";
import { EmbeddingFailure, type EmbeddingFailureKind } from "../../domain/embedding/failure.ts";

export const PROVIDER = "openai";

/**
 * Converts an error of the client to an EmbeddingFailure, with only the status and the code of the answer: its message may
 * quote the text that was sent, and part of the key.
 */
export function failureOf(error: unknown, now: number): EmbeddingFailure {
  if (error instanceof EmbeddingFailure) return error;
  if (error instanceof APIConnectionError) return connectionFailure(error);
  if (error instanceof APIError && error.status !== undefined) return statusFailure(error, error.status, now);
  // The body is incomplete, or not JSON.
  if (error instanceof SyntaxError) return malformed("its answer is not JSON");
  return connectionFailure(error);
}

/** A malformed answer with status 200. */
export function malformed(why: string): EmbeddingFailure {
  return new EmbeddingFailure("MALFORMED", `malformed answer of the embedding provider: ${why}`, {
    provider: PROVIDER,
  });
}

function connectionFailure(error: unknown): EmbeddingFailure {
  return new EmbeddingFailure(
    "CONNECTION",
    "the embedding provider cannot be reached, or closed the connection",
    {
      provider: PROVIDER,
      cause: error,
    },
  );
}

function statusFailure(error: APIError, status: number, now: number): EmbeddingFailure {
  const code = [error.code, error.type].find((one) => typeof one === "string" && /^[\w.-]{1,64}$/.test(one));
  const answer = `${status}${typeof code === "string" ? ` (${code})` : ""}`;
  const retryAfterMs = retryAfter(error.headers, now);
  return new EmbeddingFailure(kindOf(status), `the embedding provider answers ${answer}`, {
    provider: PROVIDER,
    status,
    ...(typeof code === "string" ? { code } : {}),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function kindOf(status: number): EmbeddingFailureKind {
  if (status === 401 || status === 403) return "KEY_REFUSED";
  if (status === 400 || status === 413 || status === 422) return "INPUT_REFUSED";
  if (status === 429) return "RATE_LIMITED";
  if (status === 408 || status >= 500) return "SERVER_ERROR";
  return "MISCONFIGURED";
}

/** Retry-After in seconds or as a date (RFC 9110), or OpenAI's retry-after-ms; in milliseconds. Undefined: none is valid. */
function retryAfter(headers: Headers | undefined, now: number): number | undefined {
  const milliseconds = Number(headers?.get("retry-after-ms") ?? Number.NaN);
  if (milliseconds >= 0) return milliseconds;
  const value = headers?.get("retry-after");
  if (value === undefined || value === null || value.trim() === "") return undefined;
  const seconds = Number(value);
  if (seconds >= 0) return seconds * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
