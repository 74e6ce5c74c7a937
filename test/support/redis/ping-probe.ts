// A worker that sends Redis one PING after the other on a connection of its own. Each message that it gets is answered with
// how long the longest took since the one before, in milliseconds.

import { setTimeout } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { connectTo } from "./client.ts";

let longest = 0;
parentPort?.on("message", () => {
  parentPort?.postMessage(longest);
  longest = 0;
});
const redis = connectTo(String(workerData));
for (;;) {
  const start = performance.now();
  await redis.ping();
  longest = Math.max(longest, performance.now() - start);
  await setTimeout(1);
}
