import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { checkFile } from "./file-check.ts";

/**
 * A program that prints the findings about the file in its argument. `immutable` lets it read a file that another
 * process has locked; that process writes only to the WAL meanwhile.
 */
const [file] = process.argv.slice(2);
if (file === undefined) throw new TypeError("which file?");
const url = pathToFileURL(file);
url.searchParams.set("immutable", "1");
using sqlite = new DatabaseSync(url, { readOnly: true });
process.stdout.write(JSON.stringify(checkFile(sqlite)));
