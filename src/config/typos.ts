import type { Findings } from "./findings.ts";
import type { Layer } from "./sources.ts";
import type { YamlValue } from "./yaml-file.ts";

/** Typos in the deployment guide, and the correct names: accepted with a warning, because users copied them. */
const TYPOS: Readonly<Record<string, string>> = { "CACHE_EV POLICY": "CACHE_EVICTION_POLICY" };

const HOURS = "compactor.check_interval_hours";
const SECONDS = "compactor.check_interval_seconds";
const HOURS_VARIABLE = "COMPACTION_CHECK_INTERVAL_HOURS";

/** The variables with corrected names; the correct name takes precedence over its typo. */
export function correctNames(layer: Layer, warnings: string[]): Layer {
  const values = { ...layer.values };
  for (const [wrong, right] of Object.entries(TYPOS)) {
    const value = values[wrong];
    if (value === undefined) continue;
    delete values[wrong];
    warnings.push(`${layer.name}: \`${wrong}\` is a typo: write ${right}`);
    values[right] ??= value;
  }
  return { ...layer, values };
}

/** The same in the text of the YAML file, and `prefix: memory:`, which is invalid YAML without quotes. */
export function correctYaml(content: string, path: string, warnings: string[]): string {
  let corrected = content;
  for (const [wrong, right] of Object.entries(TYPOS)) {
    const before = corrected;
    corrected = corrected.replaceAll(`\${${wrong}`, `\${${right}`);
    if (corrected === before) continue;
    warnings.push(`${path}: \`${wrong}\` is a typo: write ${right}`);
  }
  return corrected.replaceAll(
    /^([ \t]+prefix:[ \t]+)([^\s"'#]+:)[ \t]*$/gm,
    (_, key: string, prefix: string) => {
      warnings.push(`${path}: \`prefix: ${prefix}\` is not YAML; write prefix: "${prefix}"`);
      return `${key}"${prefix}"`;
    },
  );
}

/**
 * The guide fills a setting in seconds from a variable in hours, which would mean a run every 24 seconds. A value from
 * that variable is read as hours; a value in seconds is refused, because the setting has one unit.
 */
export function correctHours(values: Map<string, YamlValue>, path: string, findings: Findings): void {
  const seconds = values.get(SECONDS);
  if (seconds === undefined) return;
  values.delete(SECONDS);
  if (seconds.template.includes(HOURS_VARIABLE)) {
    findings.warnings.push(
      `${path}: ${SECONDS} is filled with hours and taken as hours; name it check_interval_hours`,
    );
    if (!values.has(HOURS)) values.set(HOURS, seconds);
    return;
  }
  if (seconds.text === "") return;
  const hours = Number(seconds.text) / 3600;
  const right = Number.isFinite(hours) ? `${HOURS}: ${Number(hours.toPrecision(4))}` : HOURS;
  findings.problems.push(
    `${SECONDS} is ${JSON.stringify(seconds.text)} (${path}): the interval is given in hours; write ${right}`,
  );
}
