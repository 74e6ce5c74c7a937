import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/**
 * The file name of a namespace's vector graph. The name holds the generation, so a graph of an earlier model is never
 * loaded for the current one.
 */
export function graphName(namespaceId: number, generation: number): string {
  return generation === 1 ? `${namespaceId}.usearch` : `${namespaceId}-${generation}.usearch`;
}

/** Removes the graphs of other generations. */
export function removeOldGraphs(directory: string, generation: number): void {
  for (const name of readdirSync(directory)) {
    const found = /^\d+(?:-(\d+))?\.usearch/.exec(name);
    if (found !== null && Number(found[1] ?? 1) !== generation)
      rmSync(join(directory, name), { force: true });
  }
}
