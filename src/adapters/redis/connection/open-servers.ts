import type { Log } from "../../../ports/log.ts";
import { ClusterServers } from "./cluster-servers.ts";
import type { ConnectionOptions } from "./connection-options.ts";
import { refused } from "./errors.ts";
import type { Servers } from "./servers.ts";
import { SingleServer } from "./single-server.ts";

/** Opens the connections. Rejects with the error of the client library, or with the reason why this Redis is refused. */
export async function openServers(options: ConnectionOptions, log: Log): Promise<Servers> {
  const { topology, sentinel } = options;
  if (topology === "cluster") return ClusterServers.open(options, log);
  if (topology === "sentinel" || (topology === "auto" && sentinel !== undefined)) {
    if (sentinel === undefined) throw refused("Sentinels have to be asked for a primary by its name");
    return SingleServer.open({ ...options, sentinel }, log);
  }
  const server = await firstThatAnswers(options, log);
  if (!(await isOfCluster(server))) return server;
  await server[Symbol.asyncDispose]();
  if (topology === "auto") return ClusterServers.open(options, log);
  throw refused("this Redis is a server of a cluster, and this server is set to REDIS_TOPOLOGY=standalone");
}

async function firstThatAnswers(options: ConnectionOptions, log: Log): Promise<Servers> {
  const [last, ...before] = options.addresses.toReversed();
  for (const address of before.toReversed()) {
    try {
      return await SingleServer.open({ ...options, addresses: [address] }, log);
    } catch (error) {
      log.warn({ err: error, ...address }, "no connection to a server of REDIS_NODES");
    }
  }
  return SingleServer.open({ ...options, addresses: [last ?? options.addresses[0]] }, log);
}

async function isOfCluster(server: Servers): Promise<boolean> {
  return String(await server.send({ command: ["INFO", "cluster"], key: undefined })).includes(
    "cluster_enabled:1",
  );
}
