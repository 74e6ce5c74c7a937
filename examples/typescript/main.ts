// The walk-through of the README as a program: store, search, cache an answer, find it by a paraphrase, and distinguish
// errors by their reason. The server is RECOLLECT_ADDRESS, or the one of `make run`.
import { ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ErrorInfoSchema } from "recollect-client/google/rpc/error_details_pb.js";
import { CacheService } from "recollect-client/recollect/v1/cache_pb.js";
import { MemoryService } from "recollect-client/recollect/v1/memory_pb.js";

const address = process.env["RECOLLECT_ADDRESS"] || "localhost:50051";
const transport = createGrpcTransport({ baseUrl: `http://${address}`, defaultTimeoutMs: 10_000 });
const memory = createClient(MemoryService, transport);
const cache = createClient(CacheService, transport);
const namespace = "example";

// A duplicate text is not stored again, so that this can run repeatedly.
const { memory: stored, duplicate } = await memory.createMemory({
  namespace,
  memory: { text: "Ana is allergic to nuts", userId: "ana" },
});
console.log(`${duplicate ? "remembered before" : "remembered"}: ${stored?.text}`);

const { results } = await memory.searchMemories({
  namespace,
  query: { by: { case: "text", value: "what is Ana allergic to?" } },
  filter: { userId: "ana" },
});
for (const { memory: found, score } of results)
  console.log(`found: ${found?.text} (score ${score.toFixed(2)})`);

// The scope is everything except the question that affects an answer; answers are not shared across scopes.
const scope = { model: "gpt-5", systemPrompt: "Be brief." };
await cache.storeCacheEntry({
  namespace,
  prompt: { prompt: { case: "text", value: "How do I cancel my order?" } },
  origin: { case: "scope", value: scope },
  response: "Open Orders.",
});

for (const question of ["please, how can I cancel my order", "How do I cancel order 17?"]) {
  const prompt = { prompt: { case: "text" as const, value: question } };
  const { outcome } = await cache.lookupCache({ namespace, prompt, scope });
  console.log(`${question} -> ${outcome.case === "hit" ? outcome.value.entry?.response : "ask the model"}`);
}

try {
  await memory.getMemory({ namespace, id: "no-such-memory" });
} catch (error) {
  // Use the code for retries, the reason in programs, and the message for display.
  const [info] = ConnectError.from(error).findDetails(ErrorInfoSchema);
  console.log(`refused: ${info?.reason}`, info?.metadata);
}
