/** Writes the table of the newest results into docs/benchmarks.md, from the files of bench/results: `node bench/table.ts`. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { OVERLOAD } from "./cases.ts";
import { type CaseRecord, figures, readRecords, SERVICE } from "./records.ts";
import { type Measured, ratioOf } from "./rounds.ts";

const RESULTS = join(import.meta.dirname, "results");
const PAGE = join(import.meta.dirname, "../docs/benchmarks.md");
const HEADING = "## Newest results\n";
const HEAD = [
  "case",
  "callers",
  "calls/s",
  "p50 / p95 ms",
  "process + Redis us a call",
  "compared with",
  "**x calls/s**",
  "x p50 / p95",
  "x CPU",
];

const page = readFileSync(PAGE, "utf8");
const at = page.indexOf(HEADING);
if (at < 0) throw new Error(`docs/benchmarks.md has no heading ${HEADING}`);
const records = readdirSync(RESULTS)
  .filter((name) => name.endsWith(".json") && name !== `${OVERLOAD}.json`)
  .flatMap((name) => readRecords(join(RESULTS, name)));
const settings = [...new Set(records.map(({ name, setting }) => titleOf(name, setting)))].toSorted();
const parts = [
  HEADING.trim(),
  "Written by `node bench/table.ts` from bench/results, whose files have all columns, the extremes of the rounds, the warnings and " +
    "the command. x is how many times better the service is: more calls a second, shorter, less processor time. How busy the machine " +
    "was stands in each record; with a load average above 1 before the run, trust the processor time alone. " +
    "[overload.md](../bench/results/overload.md) has the case overload.",
  ...settings.flatMap((title) => {
    const own = records.filter(({ name, setting }) => titleOf(name, setting) === title);
    return [`### ${title}`, datesOf(own), table(own.flatMap(rowsOf))];
  }),
];
writeFileSync(PAGE, `${page.slice(0, at)}${parts.join("\n\n")}\n`);
process.stdout.write(`${records.length} records in docs/benchmarks.md\n`);

function titleOf(name: string, setting: string): string {
  return name.startsWith("peers ") ? `Beside RedisVL and mem0: ${setting}` : `Floors: ${setting}`;
}

function datesOf(own: readonly CaseRecord[]): string {
  const machines = new Set(own.map(({ date, machine }) => `${date}, ${machine}`));
  const loads = own.map(({ loadBefore }) => loadBefore);
  const range = `${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}`;
  return `${[...machines].join("; ")}; load average before: ${range}.`;
}

function rowsOf({ name, measured, titles }: CaseRecord): string[][] {
  const services = measured.filter((one) => one.name === SERVICE);
  return services
    .toSorted((a, b) => a.callers - b.callers)
    .flatMap((service) => {
      const other = comparedWith(measured.filter(({ callers }) => callers === service.callers));
      if (other === undefined) return [];
      const { throughput, cpu, p50, p95 } = ratioOf(service, other);
      return [
        [
          name.replace(/^peers /, ""),
          String(service.callers),
          service.callsPerSecond.toFixed(0),
          `${figures(service.p50Ms)} / ${figures(service.p95Ms)}`,
          [service.cpuMicros, service.redis?.cpuMicrosPerCall]
            .flatMap((value) => value?.toFixed(0) ?? [])
            .join(" + "),
          titles[other.name] ?? other.name,
          `**${figures(throughput)}**`,
          `${figures(p50)} / ${figures(p95)}`,
          figures(cpu),
        ],
      ];
    });
}

/** The floor with the commands of Redis, a peer, or else bare grpc-js. */
function comparedWith(measured: readonly Measured[]): Measured | undefined {
  const others = measured.filter(({ name }) => name !== SERVICE && name !== "raw");
  return others.find(({ name }) => name !== "echo") ?? others[0];
}

function table(rows: readonly (readonly string[])[]): string {
  return [HEAD, HEAD.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
