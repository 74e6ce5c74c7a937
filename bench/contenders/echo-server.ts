/**
 * The floor: grpc-js with the service's options and nothing else. It answers each path with recorded replies of the
 * service, round robin. Reads one EchoPlan from the file named by its argument and prints its address.
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import * as grpc from "@grpc/grpc-js";
import { readFrames } from "../frames.ts";
import { raw, SERVER_OPTIONS } from "../options.ts";

/** By path, the file of replies (frames.ts). */
export type EchoPlan = Readonly<Record<string, string>>;

const plan = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as EchoPlan;
const server = new grpc.Server(SERVER_OPTIONS);
for (const [path, file] of Object.entries(plan))
  server.register(path, answerer(readFrames(file)), raw, raw, "unary");
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.stdout.write(`${JSON.stringify({ msg: "serving", grpc: `127.0.0.1:${port}` })}\n`);
});
process.once("SIGTERM", () => server.forceShutdown());

function answerer(replies: readonly Buffer[]): grpc.handleUnaryCall<Buffer, Buffer> {
  let count = 0;
  return (_call, reply) => {
    reply(null, replies[count % replies.length] ?? null);
    count += 1;
  };
}
