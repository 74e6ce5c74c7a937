import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { protoPath } from "grpc-health-check";

interface HealthClient extends grpc.Client {
  check(
    request: { service: string },
    reply: (error: grpc.ServiceError | null, status?: { status: string }) => void,
  ): void;
}

/** The grpc.health.v1 status of a service: `SERVING`, `NOT_SERVING`. */
export async function healthOf(address: string, service: string): Promise<string | undefined> {
  const loaded = grpc.loadPackageDefinition(loadSync(protoPath, { enums: String })) as unknown as {
    grpc: {
      health: { v1: { Health: new (address: string, credentials: grpc.ChannelCredentials) => HealthClient } };
    };
  };
  const client = new loaded.grpc.health.v1.Health(address, grpc.credentials.createInsecure());
  try {
    return await new Promise((resolve, reject) => {
      client.check({ service }, (error, reply) => (error === null ? resolve(reply?.status) : reject(error)));
    });
  } finally {
    client.close();
  }
}
