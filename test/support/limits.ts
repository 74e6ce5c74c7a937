import {
  create,
  type DescEnum,
  type DescField,
  type DescMessage,
  getOption,
  hasOption,
  isFieldSet,
} from "@bufbuild/protobuf";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";
import {
  type FieldRules,
  field as fieldOption,
  file_buf_validate_validate,
  Ignore,
  message as messageOption,
  oneof as oneofOption,
} from "#gen/buf/validate/validate_pb.js";

/** One rule of one field of a request, with a request at the limit and one beyond it. */
export interface Limit {
  /** `memory.tags[0] string.max_len`: names the rule in a test and in the tables of hand-made cases. */
  readonly name: string;
  /** The path in a violation. */
  readonly path: string;
  readonly inside: object;
  readonly outside: object;
}

export interface LimitsOptions {
  /** A valid value of each message that must not be empty. */
  readonly valid: Readonly<Record<string, object>>;
  /** Matching and non-matching values, by pattern. */
  readonly patterns: Readonly<Record<string, { readonly fits: string; readonly unfit: string }>>;
  /**
   * Hand-written cases of CEL rules, by `<message> <rule>`: changes of a valid message, and the field below it in the
   * violation.
   */
  readonly byHand: Readonly<
    Record<string, { readonly field: string; readonly inside: object; readonly outside: object }>
  >;
}

/** Makes a message by setting one value in a valid one. */
type Put = (value: unknown) => object;

/**
 * A case for every rule of a message and of all messages in it. Throws for a rule that it does not know and that has no
 * case by hand: a new rule does not go untested.
 */
export function limitsOf(desc: DescMessage, options: LimitsOptions): Limit[] {
  return messageLimits(desc, options, "", (value) => value as object, new Set());
}

function messageLimits(
  desc: DescMessage,
  options: LimitsOptions,
  path: string,
  put: Put,
  within: ReadonlySet<DescMessage>,
): Limit[] {
  if (within.has(desc) || desc.typeName.startsWith("google.")) return [];
  const valid = options.valid[desc.typeName] ?? {};
  const limits: Limit[] = [];
  const byHand = (rule: string): void => {
    const made = options.byHand[`${desc.typeName} ${rule}`];
    if (made === undefined) throw new Error(`no case for the rule ${rule} of ${desc.typeName}`);
    limits.push({
      name: `${path || "(request)"} ${rule}`,
      path: joined(path, made.field),
      inside: put(made.inside),
      outside: put(made.outside),
    });
  };
  if (hasOption(desc, messageOption)) {
    const rules = getOption(desc, messageOption);
    for (const { id } of rules.cel) byHand(id);
    for (const { fields } of rules.oneof) byHand(`oneof(${fields.join(", ")})`);
    if (rules.celExpression.length > 0) throw new Error(`unknown rules of ${desc.typeName}`);
  }
  for (const oneof of desc.oneofs) {
    if (hasOption(oneof, oneofOption) && getOption(oneof, oneofOption).required)
      byHand(`${oneof.name}.required`);
  }
  for (const field of desc.fields) {
    const putField: Put = (value) => put(withField(valid, field, value));
    const below = joined(path, field.name);
    if (hasOption(field, fieldOption)) {
      const rules = getOption(field, fieldOption);
      if (rules.ignore === Ignore.ALWAYS) continue;
      limits.push(...fieldLimits(field, rules, options, below, putField));
      if (rules.type.case === "repeated" && rules.type.value.items?.ignore === Ignore.ALWAYS) continue;
    }
    const known = new Set([...within, desc]);
    if (field.fieldKind === "message") {
      limits.push(...messageLimits(field.message, options, below, putField, known));
    } else if (field.fieldKind === "list" && field.listKind === "message") {
      // Before a valid one, because the last message of a conversation has additional rules.
      const putItem: Put = (value) => putField([value, options.valid[field.message.typeName] ?? {}]);
      limits.push(...messageLimits(field.message, options, `${below}[0]`, putItem, known));
    }
  }
  return limits;
}

function fieldLimits(
  field: DescField,
  rules: FieldRules,
  options: LimitsOptions,
  path: string,
  put: Put,
): Limit[] {
  if (rules.cel.length + rules.celExpression.length > 0) throw new Error(`unknown rules of ${path}`);
  const limits: Limit[] = [];
  if (rules.required) {
    const valid = field.message === undefined ? undefined : (options.valid[field.message.typeName] ?? {});
    limits.push({ name: `${path} required`, path, inside: put(valid), outside: put(undefined) });
  }
  const { type } = rules;
  if (type.case === undefined) return limits;
  for (const rule of ruleNames(type.value)) {
    const name = `${type.case}.${rule}`;
    if (type.case === "repeated" && rule === "items") {
      if (type.value.items === undefined || type.value.items.ignore === Ignore.ALWAYS) continue;
      const item: Put = (value) => put([value]);
      limits.push(...fieldLimits(field, type.value.items, options, `${path}[0]`, item));
      continue;
    }
    const values = valuesOf(field, rules, name, options);
    if (values === undefined) throw new Error(`no way to test the rule ${name} of ${path}`);
    limits.push({ name: `${path} ${name}`, path, inside: put(values.inside), outside: put(values.outside) });
  }
  return limits;
}

/** Schema names of the rules that are set. */
function ruleNames(rules: Exclude<FieldRules["type"]["value"], undefined>): string[] {
  const desc = file_buf_validate_validate.messages.find(({ typeName }) => typeName === rules.$typeName);
  if (desc === undefined) throw new Error(`no rules are called ${rules.$typeName}`);
  return desc.fields.filter((one) => isFieldSet(rules, one)).map(({ name }) => name);
}

interface Values {
  readonly inside: unknown;
  readonly outside: unknown;
}

function valuesOf(
  field: DescField,
  rules: FieldRules,
  name: string,
  options: LimitsOptions,
): Values | undefined {
  const { case: kind, value } = rules.type;
  switch (kind) {
    case "string":
      return stringValues(value, name, options);
    case "bytes":
      switch (name) {
        case "bytes.min_len":
          return {
            inside: new Uint8Array(Number(value.minLen)),
            outside: new Uint8Array(Number(value.minLen) - 1),
          };
        case "bytes.max_len":
          return {
            inside: new Uint8Array(Number(value.maxLen)),
            outside: new Uint8Array(Number(value.maxLen) + 1),
          };
        default:
          return undefined;
      }
    case "int32":
    case "float":
    case "double": {
      if (name.endsWith(".finite")) return { inside: 0.5, outside: Number.NaN };
      const step = kind === "int32" ? 1 : 1e-6;
      if (name.endsWith(".gte") && value.greaterThan.case === "gte") {
        return { inside: value.greaterThan.value, outside: value.greaterThan.value - step };
      }
      if (name.endsWith(".gt") && value.greaterThan.case === "gt") {
        return { inside: value.greaterThan.value + step, outside: value.greaterThan.value };
      }
      if (name.endsWith(".lte") && value.lessThan.case === "lte") {
        return { inside: value.lessThan.value, outside: value.lessThan.value + step };
      }
      return undefined;
    }
    case "enum": {
      const numbers = field.enum === undefined ? [] : numbersOf(field.enum);
      const last = Math.max(...numbers);
      if (name === "enum.defined_only") return { inside: last, outside: last + 1 };
      if (name === "enum.not_in") return { inside: last, outside: value.notIn[0] };
      return undefined;
    }
    case "duration": {
      const { lessThan, greaterThan } = value;
      if (name === "duration.gte" && greaterThan.case === "gte") {
        return { inside: greaterThan.value, outside: shifted(greaterThan.value, -1n) };
      }
      if (name === "duration.gt" && greaterThan.case === "gt") {
        return { inside: shifted(greaterThan.value, 1n), outside: greaterThan.value };
      }
      if (name === "duration.lte" && lessThan.case === "lte") {
        return { inside: lessThan.value, outside: shifted(lessThan.value, 1n) };
      }
      return undefined;
    }
    case "repeated":
      switch (name) {
        case "repeated.min_items":
          return {
            inside: items(field, value.minItems, options),
            outside: items(field, value.minItems - 1n, options),
          };
        case "repeated.max_items":
          return {
            inside: items(field, value.maxItems, options),
            outside: items(field, value.maxItems + 1n, options),
          };
        case "repeated.unique": {
          const [one, two] = items(field, 2n, options);
          return { inside: [one, two], outside: [one, one] };
        }
        default:
          return undefined;
      }
    default:
      return undefined;
  }
}

type StringRules = Extract<FieldRules["type"], { readonly case: "string" }>["value"];

function stringValues(rules: StringRules, name: string, { patterns }: LimitsOptions): Values | undefined {
  // With letters of two bytes where possible, to distinguish characters from bytes.
  const letters = (count: bigint): string => (rules.pattern === "" ? "é" : "a").repeat(Number(count));
  switch (name) {
    case "string.min_len":
      return { inside: letters(rules.minLen), outside: letters(rules.minLen - 1n) };
    case "string.max_len":
      return { inside: letters(rules.maxLen), outside: letters(rules.maxLen + 1n) };
    case "string.max_bytes": {
      const inside = "é".repeat(Number(rules.maxBytes) / 2);
      return { inside, outside: `${inside}a` };
    }
    case "string.pattern": {
      const pattern = patterns[rules.pattern];
      return pattern === undefined ? undefined : { inside: pattern.fits, outside: pattern.unfit };
    }
    default:
      return undefined;
  }
}

/** A number of valid items, distinct if possible. */
function items(field: DescField, count: bigint, options: LimitsOptions): unknown[] {
  return Array.from({ length: Number(count) }, (_, index): unknown => {
    if (field.message !== undefined) return options.valid[field.message.typeName] ?? {};
    if (field.enum === undefined) return `i${index}`;
    const numbers = numbersOf(field.enum).filter((number) => number !== 0);
    return numbers[index % numbers.length];
  });
}

function numbersOf(desc: DescEnum): number[] {
  return desc.values.map(({ number }) => number);
}

function shifted({ seconds, nanos }: Duration, byNanos: bigint): Duration {
  const total = seconds * 1_000_000_000n + BigInt(nanos) + byNanos;
  return create(DurationSchema, {
    seconds: total / 1_000_000_000n,
    nanos: Number(total % 1_000_000_000n),
  });
}

function withField(message: object, field: DescField, value: unknown): object {
  return field.oneof === undefined
    ? { ...message, [field.localName]: value }
    : { ...message, [field.oneof.localName]: { case: field.localName, value } };
}

function joined(path: string, name: string): string {
  return path === "" || name === "" ? `${path}${name}` : `${path}.${name}`;
}
