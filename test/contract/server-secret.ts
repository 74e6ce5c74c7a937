import type { KeyObject } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { ServerSecret } from "../../src/ports/server-secret.ts";
import { type StoreUnderTest, useStore } from "./store-under-test.ts";

/** The contract of ServerSecret. */
export function serverSecretContract(name: string, open: () => Promise<StoreUnderTest<ServerSecret>>): void {
  describe(`ServerSecret, ${name}`, () => {
    const subject = useStore(open);

    it("is 32 bytes that look random", () => {
      const secret = subject.store.read().export();
      expect(secret).toBeInstanceOf(Uint8Array);
      expect(secret).toHaveLength(32);
      // 32 random bytes hold fewer than 16 different ones with a probability below 10^-15.
      expect(new Set(secret).size).toBeGreaterThanOrEqual(16);
    });

    it("is the same at every read", () => {
      const secrets = [subject.store.read(), subject.store.read(), subject.store.read()];
      expect(new Set(secrets.map(hex)).size).toBe(1);
    });

    it("is the same after a restart", async () => {
      const before = hex(subject.store.read());
      await subject.reopen();
      expect(hex(subject.store.read())).toBe(before);
    });
  });
}

function hex(secret: KeyObject): string {
  return secret.export().toString("hex");
}
