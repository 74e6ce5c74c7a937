import type { DescMethod } from "@bufbuild/protobuf";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { CompactionService } from "#gen/recollect/v1/compaction_pb.js";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { OperationsService } from "#gen/recollect/v1/operations_pb.js";
import { RawGrpc } from "./raw-grpc.ts";

export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** The methods that a server serves, according to its reflection. */
export async function servedMethods(grpcAddress: string): Promise<DescMethod[]> {
  using raw = new RawGrpc(grpcAddress);
  const methods = [MemoryService, CacheService, CompactionService, OperationsService].flatMap(
    (service): readonly DescMethod[] => service.methods,
  );
  const outcomes = await Promise.all(
    methods.map(async (method) => (await raw.stream(pathOf(method), [Buffer.alloc(0)])).reason),
  );
  return methods.filter((_, index) => outcomes[index] !== "METHOD_NOT_SERVED");
}
