import { LRUCache } from "lru-cache";

/**
 * Records that were read lately, as objects, by their key in Redis. A cached record is never served as it is: a read asks
 * Redis which state the record has, and is sent the record only when the cached one has another. So a record that is read
 * again is not parsed again, and is the same object.
 */
export class RecordCache<T extends object> {
  readonly #records: LRUCache<string, T>;

  constructor({ maxBytes, bytesOf }: { readonly maxBytes: number; readonly bytesOf: (cached: T) => number }) {
    this.#records = new LRUCache({ maxSize: maxBytes, sizeCalculation: bytesOf });
  }

  get(key: string): T | undefined {
    return this.#records.get(key);
  }

  set(key: string, record: T): void {
    this.#records.set(key, record);
  }

  delete(key: string): void {
    this.#records.delete(key);
  }

  clear(): void {
    this.#records.clear();
  }
}
