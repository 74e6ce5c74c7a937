import { type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type {
  Server,
  ServerDuplexStream,
  ServiceDefinition,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { file_google_rpc_error_details } from "#gen/google/rpc/error_details_pb.js";
import { file_grpc_health_v1_health } from "#gen/grpc/health/v1/health_pb.js";

type Package = ConstructorParameters<typeof ReflectionService>[0];

/**
 * Reflection, v1 and v1alpha, of these services: what grpcurl reads instead of .proto files. Their descriptors are indexed
 * by the first call: it takes a tenth of a second of a start, and most servers are never asked.
 */
export function addReflection(server: Server, services: readonly DescService[]): void {
  let indexed: readonly UntypedServiceImplementation[] | undefined;
  DEFINITIONS.forEach((definition, version) => {
    server.addService(definition, {
      ServerReflectionInfo: (stream: ServerDuplexStream<object, object>) => {
        indexed ??= versionsOf(packageOf(services)).map(({ implementation }) => implementation);
        const answer = indexed[version]?.["ServerReflectionInfo"] as (call: typeof stream) => void;
        answer(stream);
      },
    });
  });
}

/** What the library would add to a server: one service for each version of reflection. */
function versionsOf(
  root: Package,
): { readonly definition: ServiceDefinition; readonly implementation: UntypedServiceImplementation }[] {
  const versions: ReturnType<typeof versionsOf> = [];
  const addService: Server["addService"] = (definition, implementation) =>
    void versions.push({ definition, implementation });
  new ReflectionService(root).addToServer({ addService } as Server);
  return versions;
}

/** The services themselves, of each version: the library parses them again for each server. */
const DEFINITIONS = versionsOf({}).map(({ definition }) => definition);

function packageOf(services: readonly DescService[]): Package {
  const files = new Map<string, DescFile>();
  for (const service of services) collect(service.file, files);
  // No service names them, but grpcurl shows the details of errors with them.
  collect(file_google_rpc_error_details, files);
  // grpc-health-check has a descriptor of its service that no client can read: protobufjs, which makes it, gives the
  // entries of a map another name than protobuf requires (`Statuses` instead of `StatusesEntry`).
  collect(file_grpc_health_v1_health, files);
  const fileDescriptorProtos = [...files.values()].map((file) =>
    Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)),
  );
  // The shape of a package loaded by proto-loader; the library reads only its descriptors.
  return {
    recollect: { format: "Protocol Buffer 3 DescriptorProto", type: {}, fileDescriptorProtos },
  } as Package;
}

/** Adds a file behind its dependencies, the order that the library needs. */
function collect(file: DescFile, files: Map<string, DescFile>): void {
  if (files.has(file.name)) return;
  for (const dependency of file.dependencies) collect(dependency, files);
  files.set(file.name, file);
}
