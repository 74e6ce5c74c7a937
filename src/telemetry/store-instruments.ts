import { type Meter, ValueType } from "@opentelemetry/api";
import type { RedisMetrics, RemovalMetrics, StoreDisk, StoreMetrics } from "../ports/metrics.ts";

/** Metrics of the storage backend. */
export function createStoreInstruments(
  meter: Meter,
): Omit<StoreMetrics & RedisMetrics, keyof RemovalMetrics> {
  const damaged = meter.createGauge("recollect_store_damaged_parts", {
    description: "Detected damaged parts of the stored data.",
    valueType: ValueType.INT,
  });
  // A gauge or counter appears with its first value.
  damaged.record(0);
  const repairs = meter.createCounter("recollect_store_repairs", {
    description: "Damaged indexes that were rebuilt from intact tables.",
    valueType: ValueType.INT,
  });
  repairs.add(0);
  const risks = meter.createGauge("recollect_store_risks", {
    description:
      "Redis settings that can lose acknowledged writes: eviction of any key, no persistence; 0: none.",
    valueType: ValueType.INT,
  });
  risks.record(0);
  const plain = meter.createCounter("recollect_redis_compression_plain_bytes", {
    description: "Bytes of the records before REDIS_COMPRESSION.",
    valueType: ValueType.INT,
  });
  const stored = meter.createCounter("recollect_redis_compression_stored_bytes", {
    description: "Bytes of the same records after REDIS_COMPRESSION.",
    valueType: ValueType.INT,
  });
  plain.add(0);
  stored.add(0);
  const observeStoreDisk = createDiskInstruments(meter);
  const readers = new Set<() => Promise<number>>();
  meter
    .createObservableGauge("redis_memory_used_bytes", {
      description:
        "Memory that Redis uses, in bytes; 0 on the embedded backend, and while Redis does not answer.",
      valueType: ValueType.INT,
    })
    .addCallback(async (result) => {
      // An unreadable value is omitted from the scrape; calls report the error.
      const read = await Promise.all([...readers].map((reader) => reader().catch(() => 0)));
      result.observe(read.reduce((sum, bytes) => sum + bytes, 0));
    });
  return {
    storeDamaged: (parts) => damaged.record(parts),
    storeRepaired: (parts) => repairs.add(parts),
    observeStoreDisk,
    storeRisks: (count) => risks.record(count),
    recordPacked: (plainBytes, storedBytes) => {
      plain.add(plainBytes);
      stored.add(storedBytes);
    },
    observeStoreMemory: (read) => {
      readers.add(read);
      return () => readers.delete(read);
    },
  };
}

/** Absent without a store on disk: a zero would look like a disk that is full. */
function createDiskInstruments(meter: Meter): StoreMetrics["observeStoreDisk"] {
  const disks = new Set<() => StoreDisk>();
  const observe = (name: string, description: string, bytes: (disk: StoreDisk) => number | undefined) =>
    meter.createObservableGauge(name, { description, valueType: ValueType.INT }).addCallback((result) => {
      for (const read of disks) {
        const value = bytes(read());
        if (value !== undefined) result.observe(value);
      }
    });
  observe(
    "recollect_store_free_bytes",
    "Free bytes on the disk of the embedded store.",
    ({ freeBytes }) => freeBytes,
  );
  observe(
    "recollect_store_kept_bytes",
    "Bytes that the embedded store keeps back for deletions on a full disk; ordinarily 16 MiB.",
    ({ reservedBytes }) => reservedBytes,
  );
  return (read) => {
    disks.add(read);
    return () => disks.delete(read);
  };
}
