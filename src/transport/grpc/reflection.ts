import { type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { Server } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { service as healthService } from "grpc-health-check";
import { file_google_rpc_error_details } from "#gen/google/rpc/error_details_pb.js";

/** Reflection, v1 and v1alpha, of these services: what grpcurl reads instead of .proto files. */
export function addReflection(server: Server, services: readonly DescService[]): void {
  const files = new Map<string, DescFile>();
  for (const service of services) collect(service.file, files);
  // No service names them, but grpcurl shows the details of errors with them.
  collect(file_google_rpc_error_details, files);
  const fileDescriptorProtos = [
    ...[...files.values()].map((file) => Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto))),
    ...healthDescriptors(),
  ];
  // The shape of a package loaded by proto-loader, of which the library reads the descriptors alone.
  const root = { recollect: { format: "Protocol Buffer 3 DescriptorProto", type: {}, fileDescriptorProtos } };
  new ReflectionService(root as ConstructorParameters<typeof ReflectionService>[0]).addToServer(server);
}

function healthDescriptors(): readonly Buffer[] {
  const check = healthService["Check"] as {
    readonly requestType?: { readonly fileDescriptorProtos?: Buffer[] };
  };
  return check.requestType?.fileDescriptorProtos ?? [];
}

/** Dependencies come before the files that import them, as the library wants them. */
function collect(file: DescFile, files: Map<string, DescFile>): void {
  if (files.has(file.name)) return;
  for (const dependency of file.dependencies) collect(dependency, files);
  files.set(file.name, file);
}
