import { LRUCache } from "lru-cache";

/**
 * Records that were read lately, as objects, by their key in Redis. They are never trusted: who asks Redis says which state
 * of a record it has, and is sent the record only when that is not the one. So what was read before parses no JSON, and the
 * same record is the same object.
 */
export class KnownRecords<T extends object> {
  readonly #records: LRUCache<string, T>;

  constructor({ maxBytes, bytesOf }: { readonly maxBytes: number; readonly bytesOf: (known: T) => number }) {
    this.#records = new LRUCache({ maxSize: maxBytes, sizeCalculation: bytesOf });
  }

  get(key: string): T | undefined {
    return this.#records.get(key);
  }

  keep(key: string, known: T): void {
    this.#records.set(key, known);
  }

  forget(key: string): void {
    this.#records.delete(key);
  }

  forgetAll(): void {
    this.#records.clear();
  }
}
