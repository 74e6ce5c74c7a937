// Loaded into a server's process (--import): on SIGUSR2 it writes one line, `{"loopDelay":<count>,"maxMs":<longest>}`,
// with the longest blocking of the event loop since the previous line.

import { monitorEventLoopDelay } from "node:perf_hooks";

const delays = monitorEventLoopDelay({ resolution: 1 });
delays.enable();
let reports = 0;
process.on("SIGUSR2", () => {
  reports += 1;
  process.stdout.write(`${JSON.stringify({ loopDelay: reports, maxMs: delays.max / 1e6 })}\n`);
  delays.reset();
});
