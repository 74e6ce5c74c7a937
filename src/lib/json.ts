/** A JSON value, such as metadata and model parameters. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/**
 * The canonical text of a JSON value: keys in order of their UTF-16 units, no white space, numbers as ECMAScript prints
 * them (so 1 and 1.0 are equal) and -0 as 0. Similar to RFC 8785.
 */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") return JSON.stringify(value === 0 ? 0 : value);
  if (isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const entries = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key] ?? null)}`);
  return `{${entries.join(",")}}`;
}

/** Depth of nesting: 0 for a scalar, 1 for a flat object or list. */
export function jsonDepth(value: Json): number {
  if (value === null || typeof value !== "object") return 0;
  const children = isArray(value) ? value : Object.values(value);
  return 1 + children.reduce<number>((deepest, child) => Math.max(deepest, jsonDepth(child)), 0);
}

/** Array.isArray does not narrow readonly arrays. */
function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
