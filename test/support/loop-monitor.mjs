// Runs inside the server that a test starts (NODE_OPTIONS=--import): reports on request the longest blocking of the event loop.
import { monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 1;
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();
process.on("SIGUSR2", () => {
  const { rss, heapUsed } = process.memoryUsage();
  process.stderr.write(`loop ${JSON.stringify({ maxMs: delay.max / 1e6, rss, heapUsed })}\n`);
  delay.reset();
});
