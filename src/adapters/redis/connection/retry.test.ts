import { describe, expect, it } from "vitest";
import { RecollectError } from "../../../domain/errors.ts";
import { CommandRetry } from "./retry.ts";

/** How ioredis rejects commands whose connection broke. */
const LOST = Object.assign(new Error("the connection is gone"), { name: "MaxRetriesPerRequestError" });
const TOO_LATE = new Error("Command timed out");
const UNAVAILABLE = expect.objectContaining({ reason: "STORE_UNAVAILABLE" });

const connected = { reconnecting: undefined, isConnected: async () => true };
const disconnected = { reconnecting: undefined, isConnected: async () => false };

/** Fails with these errors, one a call, then answers how often it was called. */
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
  it("is sent once more when it may be, and no more often", async () => {
    const retry = new CommandRetry(connected, true);
    expect(await retry.send(true, 1, failing(LOST))).toBe(2);
    await expect(retry.send(true, 1, failing(LOST, LOST))).rejects.toEqual(UNAVAILABLE);
  });

  it("is not sent again when it may not be, when it is switched off, or when Redis is away", async () => {
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

  it("is not sent again when it waited too long on a connection that lives", async () => {
    await expect(new CommandRetry(connected, true).send(true, 1, failing(TOO_LATE))).rejects.toEqual(
      UNAVAILABLE,
    );
  });

  it("waits for the reconnect that is under way", async () => {
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

describe("commands that wait for an answer", () => {
  it("are bounded: the next is refused until some have ended", async () => {
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
