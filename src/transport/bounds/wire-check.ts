import { isUtf8 } from "node:buffer";
import { RecollectError } from "../../domain/errors.ts";
import { JsonBudget, RequestBudgetExceeded } from "./budget.ts";
import { MAX_JSON_DEPTH } from "./limits.ts";
import type { FieldBounds, MessageBounds } from "./message-bounds.ts";
import type { RefusedItem } from "./refused-item.ts";
import {
  duplicateField,
  emptyValue,
  malformed,
  tooDeep,
  tooLong,
  tooManyItems,
  unknownField,
  wrongShape,
} from "./violations.ts";

/** A checked request: decoding it costs no more than its limits allow. */
export interface CheckedBytes {
  readonly bytes: Uint8Array;
  /** Items that are empty messages in `bytes`. */
  readonly refused: readonly RefusedItem[];
}

const NONE: readonly RefusedItem[] = [];

/**
 * Checks an encoded message without decoding it: refuses values over the limits of its descriptor, unknown fields, and
 * singular fields that occur twice. Takes time by the bytes that are read, at most one step for each field, and memory for
 * refused items only. Items that are checked on their own are refused on their own.
 *
 * Throws RecollectError REQUEST_INVALID, FIELD_UNKNOWN or REQUEST_MALFORMED, naming the first field that is wrong.
 */
export function checkWire(bytes: Uint8Array, bounds: MessageBounds): CheckedBytes {
  return new WireCheck(bytes, bounds).run();
}

/** The position of a refused item: its length prefix, and the end of its content. */
interface Span {
  readonly length: number;
  readonly end: number;
}

class WireCheck {
  readonly #bytes: Uint8Array;
  readonly #bounds: MessageBounds;
  readonly #budget: JsonBudget;
  readonly #path: (string | number)[] = [];
  readonly #refused: RefusedItem[] = [];
  readonly #spans: Span[] = [];
  #at = 0;

  constructor(bytes: Uint8Array, bounds: MessageBounds) {
    this.#bytes = bytes;
    this.#bounds = bounds;
    this.#budget = new JsonBudget(bounds);
  }

  run(): CheckedBytes {
    this.#message(this.#bounds, this.#bytes.length);
    return this.#refused.length === 0
      ? { bytes: this.#bytes, refused: NONE }
      : { bytes: this.#withoutRefused(), refused: this.#refused };
  }

  /** Checks all fields of a message up to its end. */
  #message(bounds: MessageBounds, end: number): void {
    const { byNumber } = bounds;
    /** Number of values of each field, by its index. */
    let counts: number[] | undefined;
    let single = 0;
    let oneofs = 0;
    while (this.#at < end) {
      const tag = this.#varint(end);
      const field = byNumber.get(tag >>> 3);
      if (field === undefined) throw unknownField(this.#path, tag >>> 3, bounds);
      this.#path.push(field.name);
      if (field.repeated) {
        counts ??= new Array<number>(bounds.fields.length).fill(0);
        counts[field.index] = this.#items(field, tag & 7, counts[field.index] ?? 0, end);
      } else {
        // message-bounds.ts ensures that a message has fewer fields than a number has bits.
        const bit = 1 << field.index;
        const oneof = field.oneof < 0 ? 0 : 1 << field.oneof;
        if ((single & bit) !== 0 || (oneofs & oneof) !== 0) throw duplicateField(this.#path);
        single |= bit;
        oneofs |= oneof;
        this.#value(field, tag & 7, end);
      }
      this.#path.pop();
    }
  }

  /** Counts one more value of a repeated field, or a packed run of them. Returns the new count. */
  #items(field: FieldBounds, wireType: number, before: number, end: number): number {
    if (wireType === 2 && field.wireType !== 2) return this.#packed(field, before, end);
    if (before >= field.maxItems) throw tooManyItems(this.#path, field);
    this.#path.push(before);
    if (field.judgedAlone) this.#itemAlone(field, wireType, before, end);
    else this.#value(field, wireType, end);
    this.#path.pop();
    return before + 1;
  }

  #packed(field: FieldBounds, before: number, end: number): number {
    const stop = this.#length(end);
    let count = before;
    while (this.#at < stop) {
      count += 1;
      if (count > field.maxItems) throw tooManyItems(this.#path, field);
      this.#scalar(field.wireType, stop);
    }
    return count;
  }

  #itemAlone(field: FieldBounds, wireType: number, index: number, end: number): void {
    const length = this.#at;
    const depth = this.#path.length;
    const spent = this.#budget.spent();
    try {
      this.#value(field, wireType, end);
    } catch (error) {
      if (!(error instanceof RecollectError) || error instanceof RequestBudgetExceeded) throw error;
      // Continues after the item; throws again when its length is invalid.
      this.#at = length;
      const stop = this.#length(end);
      this.#at = stop;
      this.#path.length = depth;
      this.#budget.goBackTo(spent);
      this.#refused.push({ field: field.localName, index, error });
      this.#spans.push({ length, end: stop });
    }
  }

  #value(field: FieldBounds, wireType: number, end: number): void {
    if (wireType !== field.wireType) throw wrongShape(this.#path, `of wire type ${field.wireType}`);
    if (wireType !== 2) {
      this.#scalar(wireType, end);
      return;
    }
    const stop = this.#length(end);
    if (field.refusesEmpty && stop === this.#at) throw emptyValue(this.#path);
    if (field.kind === "json") this.#json(field, stop);
    else if (field.message !== undefined) this.#message(field.message, stop);
    else if (stop - this.#at > field.maxBytes) throw tooLong(this.#path, field);
    else if (field.kind === "string") this.#expectText(stop);
    this.#at = stop;
  }

  #json(field: FieldBounds, stop: number): void {
    this.#budget.enter(field);
    this.#struct(stop, 1);
  }

  /** google.protobuf.Struct: field 1 is a map of names to values. */
  #struct(stop: number, depth: number): void {
    if (depth > MAX_JSON_DEPTH) throw tooDeep(this.#path);
    this.#budget.spend(2, this.#path);
    while (this.#at < stop) {
      this.#expect(1, stop);
      const entry = this.#length(stop);
      while (this.#at < entry) {
        const tag = this.#varint(entry);
        if (tag === TAG_OF_KEY) this.#jsonName(entry);
        else if (tag === TAG_OF_ENTRY_VALUE) this.#jsonValue(this.#length(entry), depth);
        else throw malformed("an entry of a JSON object is neither a name nor a value");
      }
    }
  }

  /** google.protobuf.Value, up to its end. */
  #jsonValue(stop: number, depth: number): void {
    while (this.#at < stop) {
      switch (this.#varint(stop)) {
        case 0x08: // null_value
        case 0x20: // bool_value
          this.#budget.spend(4, this.#path);
          this.#scalar(0, stop);
          break;
        case 0x11: // number_value
          this.#budget.spend(1, this.#path);
          this.#scalar(1, stop);
          break;
        case 0x1a: // string_value
          this.#jsonText(stop);
          break;
        case 0x2a: // struct_value
          this.#struct(this.#length(stop), depth + 1);
          break;
        case 0x32: // list_value
          this.#list(this.#length(stop), depth + 1);
          break;
        default:
          throw malformed("a JSON value has an unknown kind");
      }
    }
  }

  /** google.protobuf.ListValue: field 1 holds the values. */
  #list(stop: number, depth: number): void {
    if (depth > MAX_JSON_DEPTH) throw tooDeep(this.#path);
    this.#budget.spend(2, this.#path);
    while (this.#at < stop) {
      this.#expect(1, stop);
      this.#jsonValue(this.#length(stop), depth);
    }
  }

  /** A string value; its JSON has two quotes. */
  #jsonText(end: number): void {
    const stop = this.#length(end);
    this.#budget.spend(stop - this.#at + 2, this.#path);
    this.#expectText(stop);
    this.#at = stop;
  }

  /** A name; its JSON has two quotes and a colon. */
  #jsonName(end: number): void {
    const stop = this.#length(end);
    this.#budget.spendBytes(stop - this.#at + 3, this.#path);
    this.#expectText(stop);
    this.#at = stop;
  }

  /** Throws REQUEST_MALFORMED unless the bytes up to there are UTF-8. */
  #expectText(stop: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
    // Most texts are short and ASCII: for those a loop is faster than isUtf8.
    const near = Math.min(stop, at + 64);
    while (at < near && (bytes[at] ?? 0) < 0x80) at += 1;
    if (at < stop && !isUtf8(bytes.subarray(at, stop))) throw wrongShape(this.#path, "UTF-8");
  }

  #expect(number: number, end: number): void {
    if (this.#varint(end) !== ((number << 3) | 2)) throw malformed("a JSON value holds an unknown field");
  }

  #scalar(wireType: number, end: number): void {
    if (wireType === 0) this.#skipVarint(end);
    else this.#at += wireType === 1 ? 8 : 4;
    if (this.#at > end) throw truncated();
  }

  /** Reads a length, and returns the end of its content. */
  #length(end: number): number {
    const length = this.#varint(end);
    const stop = this.#at + length;
    if (stop > end) throw truncated();
    return stop;
  }

  #skipVarint(end: number): void {
    for (let read = 0; read < 10; read += 1) {
      if (this.#at >= end) throw truncated();
      const byte = this.#bytes[this.#at] ?? 0;
      this.#at += 1;
      if (byte < 0x80) return;
    }
    throw malformed("a number is longer than 10 bytes");
  }

  /** A tag or a length: an unsigned integer of 32 bits. */
  #varint(end: number): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.#at >= end) throw truncated();
      const byte = this.#bytes[this.#at] ?? 0;
      this.#at += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte >= 0x80) continue;
      if (value <= MAX_UINT32) return value;
      break;
    }
    throw malformed("a tag or length is longer than 32 bits");
  }

  /** The message with an empty item in place of each refused one. */
  #withoutRefused(): Uint8Array {
    const parts: Uint8Array[] = [];
    const empty = new Uint8Array(1);
    let from = 0;
    for (const { length, end } of this.#spans) {
      parts.push(this.#bytes.subarray(from, length), empty);
      from = end;
    }
    parts.push(this.#bytes.subarray(from));
    return Buffer.concat(parts);
  }
}

const MAX_UINT32 = 2 ** 32 - 1;
const TAG_OF_KEY = (1 << 3) | 2;
const TAG_OF_ENTRY_VALUE = (2 << 3) | 2;

function truncated(): RecollectError {
  return malformed("the message ends in the middle of a field");
}
