import { LRUCache } from "lru-cache";

/**
 * Recently read records, as parsed objects, by their key in Redis. A cached record is never served unchecked: each read
 * sends its version, and Redis replies with the record only when the version has changed. So an unchanged record is not
 * parsed again, and stays the same object.
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
