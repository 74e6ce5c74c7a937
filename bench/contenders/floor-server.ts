/**
 * The floor of a case on Redis: grpc-js with the service's options, which sends the necessary commands to Redis, and
 * answers with recorded replies of the service. Reads a FloorPlan from the file named by its argument and prints its
 * address.
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import * as grpc from "@grpc/grpc-js";
import { Redis } from "ioredis";
import { readFrames } from "../frames.ts";
import { raw, SERVER_OPTIONS } from "../options.ts";
import { connectionOptions, readTrips, sendAll } from "./commands.ts";

export interface FloorPlan {
  readonly redisUrl: string;
  readonly path: string;
  /** A file of replies (../frames.ts), returned round robin. */
  readonly replies: string;
  /** A file of the round trips of calls (commands.ts), made round robin. */
  readonly trips: string;
}

const plan = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as FloorPlan;
const replies = readFrames(plan.replies);
const trips = readTrips(plan.trips);
const redis = new Redis(plan.redisUrl, connectionOptions);
await redis.connect();
let count = 0;

const server = new grpc.Server(SERVER_OPTIONS);
const answer: grpc.handleUnaryCall<Buffer, Buffer> = (_call, reply) => {
  const nth = count;
  count += 1;
  sendAll(redis, trips[nth % trips.length] ?? []).then(
    () => reply(null, replies[nth % replies.length] ?? null),
    (error: Error) => reply({ code: grpc.status.INTERNAL, details: error.message }),
  );
};
server.register(plan.path, answer, raw, raw, "unary");
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.stdout.write(`${JSON.stringify({ msg: "serving", grpc: `127.0.0.1:${port}` })}\n`);
});
process.once("SIGTERM", () => {
  redis.disconnect();
  server.forceShutdown();
});
