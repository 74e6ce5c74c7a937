import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";

const file = findPackageJSON("..", import.meta.url);
const manifest = file === undefined ? {} : (JSON.parse(readFileSync(file, "utf8")) as { version?: string });

/** The version of this program, as package.json has it. */
export const VERSION = manifest.version ?? "unknown";
