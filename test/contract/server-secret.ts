import { describe, expect, it } from "vitest";
import type { ServerSecret } from "../../src/ports/server-secret.ts";
import { type StoreUnderTest, useStore } from "./store-under-test.ts";

/** What every ServerSecret promises. */
export function serverSecretContract(name: string, open: () => Promise<StoreUnderTest<ServerSecret>>): void {
  describe(`ServerSecret, ${name}`, () => {
    const subject = useStore(open);

    it("is 32 bytes that look random", async () => {
      const secret = await subject.store.read();
      expect(secret).toBeInstanceOf(Uint8Array);
      expect(secret).toHaveLength(32);
      // 32 random bytes hold fewer than 16 different ones with a probability below 10^-15.
      expect(new Set(secret).size).toBeGreaterThanOrEqual(16);
    });

    it("is the same at every read", async () => {
      const secrets = await Promise.all([subject.store.read(), subject.store.read(), subject.store.read()]);
      expect(new Set(secrets.map(hex)).size).toBe(1);
    });

    it("is the same after a restart", async () => {
      const before = hex(await subject.store.read());
      await subject.reopen();
      expect(hex(await subject.store.read())).toBe(before);
    });
  });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
