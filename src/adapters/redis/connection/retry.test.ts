import { describe, expect, it } from "vitest";
import { RecollectError } from "../../../domain/errors.ts";
import { CommandRetry } from "./retry.ts";

/** How ioredis rejects commands whose connection broke. */
const LOST = Object.assign(new Error("the connection was lost"), { name: "MaxRetriesPerRequestError" });
const TOO_LATE = new Error("Command timed out");
const UNAVAILABLE = expect.objectContaining({ reason: "STORE_UNAVAILABLE" });

const connected = { reconnecting: undefined, isConnected: async () => true };
const disconnected = { reconnecting: undefined, isConnected: async () => false };

/** Fails with these errors, one per call, then resolves with the number of calls. */
function failing(...errors: readonly Error[]): () => Promise<number> {
  let calls = 0;
  return async () => {
    const error = errors[calls];
    calls += 1;
    if (error !== undefined) throw error;
    return calls;
  };
}

describe("a command whose connection breaks", () => {
  it("is retried once when that is allowed", async () => {
    const retry = new CommandRetry(connected, true);
    expect(await retry.send(true, 1, failing(LOST))).toBe(2);
    await expect(retry.send(true, 1, failing(LOST, LOST))).rejects.toEqual(UNAVAILABLE);
  });

  it("is not retried when that is not allowed, switched off, or Redis is unavailable", async () => {
    await expect(new CommandRetry(connected, true).send(false, 1, failing(LOST))).rejects.toEqual(
      UNAVAILABLE,
    );
    await expect(new CommandRetry(connected, false).send(true, 1, failing(LOST))).rejects.toEqual(
      UNAVAILABLE,
    );
    await expect(new CommandRetry(disconnected, true).send(true, 1, failing(LOST))).rejects.toEqual(
      UNAVAILABLE,
    );
  });

  it("is not retried after a timeout on a live connection", async () => {
    await expect(new CommandRetry(connected, true).send(true, 1, failing(TOO_LATE))).rejects.toEqual(
      UNAVAILABLE,
    );
  });

  it("waits for the reconnect in progress", async () => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const retry = new CommandRetry({ reconnecting: promise, isConnected: () => promise }, true);
    const order: string[] = [];
    const sent = retry.send(false, 1, async () => order.push("sent"));
    await Promise.resolve();
    order.push("made");
    resolve(true);
    await sent;
    expect(order).toEqual(["made", "sent"]);
  });
});

describe("pending commands", () => {
  it("are bounded: the next is refused until some have finished", async () => {
    const retry = new CommandRetry(connected, true);
    const { promise, resolve } = Promise.withResolvers<void>();
    const pending = [retry.send(true, 9999, () => promise), retry.send(true, 1, () => promise)];
    const refused = retry.send(true, 1, async () => "sent");
    await expect(refused).rejects.toBeInstanceOf(RecollectError);
    await expect(refused).rejects.toMatchObject({ detail: { retryAfterMs: 1000 } });
    resolve();
    await Promise.all(pending);
    expect(await retry.send(true, 1, async () => "sent")).toBe("sent");
  });
});
