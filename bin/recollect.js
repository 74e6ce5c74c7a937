#!/usr/bin/env node
// Node 24 runs the TypeScript sources as they are.
await import("../src/main.ts");
