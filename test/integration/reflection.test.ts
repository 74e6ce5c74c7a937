import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import {
  create,
  createFileRegistry,
  type DescMessage,
  type FileRegistry,
  fromBinary,
} from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { protoPath } from "grpc-health-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HealthListResponseSchema } from "#gen/grpc/health/v1/health_pb.js";
import { GetServerInfoResponseSchema } from "#gen/recollect/v1/operations_pb.js";
import { startApp, type TestApp } from "../support/start-app.ts";

const VERSIONS = ["v1", "v1alpha"] as const;
const SERVICES = [
  "grpc.health.v1.Health",
  "recollect.v1.CacheService",
  "recollect.v1.CompactionService",
  "recollect.v1.MemoryService",
  "recollect.v1.OperationsService",
];

type Answer = {
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Buffer[] };
};

/** Sends one request to the reflection service of this version. */
async function ask(address: string, version: string, question: object): Promise<Answer> {
  const folder = dirname(createRequire(import.meta.url).resolve("@grpc/reflection/package.json"));
  const path = join(folder, "build/proto/grpc/reflection", version, "reflection.proto");
  const method = loadSync(path)[`grpc.reflection.${version}.ServerReflection`] as grpc.ServiceDefinition;
  const {
    path: name,
    requestSerialize,
    responseDeserialize,
  } = method["ServerReflectionInfo"] as never as grpc.MethodDefinition<object, Answer>;
  const client = new grpc.Client(address, grpc.credentials.createInsecure());
  const stream = client.makeBidiStreamRequest(name, requestSerialize, responseDeserialize);
  try {
    return await new Promise<Answer>((resolve, reject) => {
      stream.on("data", resolve);
      stream.on("error", reject);
      stream.write(question);
    });
  } finally {
    stream.on("error", () => undefined);
    stream.cancel();
    client.close();
  }
}

/** The file with this symbol and all its imports; requests those that the response omits. */
async function filesWith(address: string, version: string, symbol: string): Promise<FileDescriptorProto[]> {
  const files = new Map<string, FileDescriptorProto>();
  const keep = ({ fileDescriptorResponse }: Answer): void => {
    for (const bytes of fileDescriptorResponse?.fileDescriptorProto ?? []) {
      const file = fromBinary(FileDescriptorProtoSchema, bytes);
      files.set(file.name, file);
    }
  };
  keep(await ask(address, version, { fileContainingSymbol: symbol }));
  for (const { dependency } of files.values()) {
    for (const name of dependency) {
      if (!files.has(name)) keep(await ask(address, version, { fileByFilename: name }));
    }
  }
  return [...files.values()];
}

/** Throws when a referenced type is in none of the files. */
function registryOf(files: readonly FileDescriptorProto[]): FileRegistry {
  const ordered = new Set<FileDescriptorProto>();
  // The library wants imports before the files that import them.
  const add = (file: FileDescriptorProto): void => {
    for (const name of file.dependency) for (const one of files) if (one.name === name) add(one);
    ordered.add(file);
  };
  files.forEach(add);
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [...ordered] }));
}

/** Each map field, as its message and the name of its entries. */
function mapEntries(files: readonly FileDescriptorProto[]): string[] {
  return files
    .flatMap(({ messageType }) => messageType)
    .flatMap(({ name, nestedType }) =>
      nestedType.flatMap((type) => (type.options?.mapEntry === true ? [`${name}.${type.name}`] : [])),
    );
}

describe.each(VERSIONS)("reflection %s", (version) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  const describeSymbol = (symbol: string): Promise<FileDescriptorProto[]> =>
    filesWith(app.grpcAddress, version, symbol);

  it("lists every service", async () => {
    const { listServicesResponse } = await ask(app.grpcAddress, version, { listServices: "*" });
    expect(listServicesResponse?.service.map(({ name }) => name).sort()).toEqual(SERVICES);
  });

  it.each(SERVICES)("describes %s with all referenced types", async (service) => {
    const registry = registryOf(await describeSymbol(service));
    expect(registry.getService(service)?.methods.length).toBeGreaterThan(0);
  });

  it("names map entry types as protobuf does", async () => {
    expect(mapEntries(await describeSymbol("grpc.health.v1.Health"))).toEqual([
      "HealthListResponse.StatusesEntry",
    ]);
  });

  it.each<[string, DescMessage]>([
    ["grpc.health.v1.Health", HealthListResponseSchema],
    ["recollect.v1.OperationsService", GetServerInfoResponseSchema],
  ])("describes the messages of %s completely", async (service, schema) => {
    const described = registryOf(await describeSymbol(service)).getMessage(schema.typeName);
    expect(described?.fields.map(String)).toEqual(schema.fields.map(String));
    expect(described?.fields.some(({ fieldKind }) => fieldKind === "map")).toBe(true);
  });
});

describe("the descriptor of the health service", () => {
  it("comes from the same file as the service", async () => {
    const words = async (path: string): Promise<string[]> => (await readFile(path, "utf8")).split(/\s+/);
    expect(await words("proto/vendor/grpc/health/v1/health.proto")).toEqual(await words(protoPath));
  });
});
