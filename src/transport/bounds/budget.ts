import { RecollectError } from "../../domain/errors.ts";
import { MAX_BATCH_METADATA_BYTES, MAX_JSON_VALUES, MAX_SCOPE_BYTES } from "./limits.ts";
import type { FieldBounds, MessageBounds } from "./message-bounds.ts";
import { type Path, pathText, tooLong } from "./violations.ts";

/** The JSON objects of a request exceed their budget together; refusing one item would not help. */
export class RequestBudgetExceeded extends RecollectError {
  constructor(path: Path, description: string) {
    const field = pathText(path);
    super("REQUEST_INVALID", `${field}: ${description}`, {
      metadata: { fields: field },
      violations: [{ field, description }],
    });
  }
}

/** The used part of a budget. */
export interface BudgetUsage {
  readonly values: number;
  readonly bytes: number;
}

/** The budget of all JSON objects of one request together. */
export class JsonBudget {
  readonly #maxBytes: number;
  #values = 0;
  #bytes = 0;
  /** The current field, and the bytes that may be used at its end. */
  #field: FieldBounds | undefined;
  #fieldEnd = 0;

  constructor({ fields }: MessageBounds) {
    this.#maxBytes = fields.some(({ judgedAlone }) => judgedAlone)
      ? MAX_BATCH_METADATA_BYTES
      : MAX_SCOPE_BYTES;
  }

  /** Begins a field, which has a limit of its own. */
  enter(field: FieldBounds): void {
    this.#field = field;
    this.#fieldEnd = this.#bytes + field.maxBytes;
  }

  /** Counts one value of at least so many bytes of JSON. Throws when a limit is exceeded. */
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

  /** Counts the bytes of a name, which is no value. */
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

  spent(): BudgetUsage {
    return { values: this.#values, bytes: this.#bytes };
  }

  /** Releases what was used since, when the item that used it is refused. */
  goBackTo({ values, bytes }: BudgetUsage): void {
    this.#values = values;
    this.#bytes = bytes;
  }
}
