import type { Server } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";

/** The states of grpc.health.v1, by service. */
export interface Health {
  addToServer(server: Server): void;
  /** Sets the answer to probes of these services; "" is the server as a whole. */
  set(services: readonly string[], status: "SERVING" | "NOT_SERVING"): void;
}

/** Every service begins as NOT_SERVING, until the server is ready. */
export function createHealth(services: readonly string[]): Health {
  const implementation = new HealthImplementation(
    Object.fromEntries(["", ...services].map((service) => [service, "NOT_SERVING"])),
  );
  return {
    addToServer: (server) => implementation.addToServer(server),
    set: (names, status) => {
      for (const name of names) implementation.setStatus(name, status);
    },
  };
}
