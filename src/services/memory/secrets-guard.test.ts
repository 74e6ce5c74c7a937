import { expect, it } from "vitest";
import { fakeSecrets } from "../../../test/support/fake-secrets.ts";
import type { MemoryDraft } from "../../domain/memory/draft.ts";
import { SecretsGuard } from "./secrets-guard.ts";

const KEY = fakeSecrets(1)[0]?.secret ?? "";
const guard = new SecretsGuard("FLAG", { writeGuard: () => undefined });

function draft(flags: readonly string[]): MemoryDraft {
  return {
    ...{ id: "m", text: `key ${KEY}`, kind: "SEMANTIC", userId: "", agentId: "", sessionId: "", role: "" },
    ...{ author: "", tags: [], metadata: {}, importance: 0.5, pinned: false, sourceIds: [] },
    flags,
  };
}

it("keeps the flags of a memory sorted, and those of secrets that are gone not", () => {
  const { flags } = guard.check(draft(["zone", "area", "secret:jwt"]), "memory", ["text"]);
  expect(flags).toEqual(["area", "secret:aws_access_key", "zone"]);
});

it("gives no memory more flags than an import takes back", () => {
  const others = Array.from({ length: 32 }, (_, index) => `x${index}`);
  const { flags = [] } = guard.check(draft(others), "memory", ["text"]);
  expect(flags).toHaveLength(32);
  expect(flags).toContain("secret:aws_access_key");
});
