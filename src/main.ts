import { enableCompileCache } from "node:module";

// Keeps the compiled code of dependencies between starts: a third of the time to be ready is compiling them.
enableCompileCache();
const { run } = await import("./cli/run.ts");

await run();
