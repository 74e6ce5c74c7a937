import { RecollectError } from "../../domain/errors.ts";
import { MAX_BATCH_METADATA_BYTES, MAX_JSON_VALUES, MAX_SCOPE_BYTES } from "./limits.ts";
import type { FieldBounds, MessageBounds } from "./message-bounds.ts";
import { type Path, pathText, tooLong } from "./violations.ts";

/** The JSON objects of a request are too much together, so that refusing one item of it would not help. */
export class RequestBudgetExceeded extends RecollectError {
  constructor(path: Path, description: string) {
    const field = pathText(path);
    super("REQUEST_INVALID", `${field}: ${description}`, {
      metadata: { fields: field },
      violations: [{ field, description }],
    });
  }
}

/** What has been spent of a budget. */
export interface Spent {
  readonly values: number;
  readonly bytes: number;
}

/** What all JSON objects of one request may hold together. */
export class JsonBudget {
  readonly #maxBytes: number;
  #values = 0;
  #bytes = 0;
  /** The field that is being looked at, and what may have been spent at its end. */
  #field: FieldBounds | undefined;
  #fieldEnd = 0;

  constructor({ fields }: MessageBounds) {
    this.#maxBytes = fields.some(({ judgedAlone }) => judgedAlone)
      ? MAX_BATCH_METADATA_BYTES
      : MAX_SCOPE_BYTES;
  }

  /** What is spent from now on is of this field, which has a bound of its own. */
  enter(field: FieldBounds): void {
    this.#field = field;
    this.#fieldEnd = this.#bytes + field.maxBytes;
  }

  /** Counts one value that takes so many bytes of JSON at the least. Throws when the request holds too many. */
  spend(bytes: number, path: Path): void {
    this.#values += 1;
    this.#add(bytes, path);
    if (this.#values > MAX_JSON_VALUES) {
      throw new RequestBudgetExceeded(
        path,
        `the JSON objects of a request may hold ${MAX_JSON_VALUES} values together, and these hold more`,
      );
    }
    this.#refuseLong(path);
  }

  /** Counts a name, which is no value. */
  spendBytes(bytes: number, path: Path): void {
    this.#add(bytes, path);
    this.#refuseLong(path);
  }

  #add(bytes: number, path: Path): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#maxBytes) {
      throw new RequestBudgetExceeded(
        path,
        `the JSON objects of a request may take ${this.#maxBytes} bytes together, and these take more`,
      );
    }
  }

  #refuseLong(path: Path): void {
    if (this.#field !== undefined && this.#bytes > this.#fieldEnd) throw tooLong(path, this.#field);
  }

  spent(): Spent {
    return { values: this.#values, bytes: this.#bytes };
  }

  /** Gives back what has been spent since, when the item that spent it is refused. */
  goBackTo({ values, bytes }: Spent): void {
    this.#values = values;
    this.#bytes = bytes;
  }
}
