import { subscribe } from "node:diagnostics_channel";
import type { ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";

/** What is open on the servers of this process, by port: connections that they accepted, and HTTP/2 streams on them. */
const sockets = new Map<Socket, number | undefined>();
const streams = new Map<ServerHttp2Stream, number | undefined>();

subscribe("net.server.socket", (message) => {
  const { socket } = message as { socket: Socket };
  sockets.set(socket, socket.localPort);
  socket.once("close", () => sockets.delete(socket));
});
subscribe("http2.server.stream.created", (message) => {
  const { stream } = message as { stream: ServerHttp2Stream };
  streams.set(stream, stream.session?.socket?.localPort);
});
subscribe("http2.server.stream.close", (message) => {
  streams.delete((message as { stream: ServerHttp2Stream }).stream);
});

/** Connections and streams that the servers of this process have open now; on these ports alone if any are named. */
export function openOnServers(...ports: number[]): {
  readonly connections: number;
  readonly streams: number;
} {
  const count = (open: ReadonlyMap<unknown, number | undefined>): number =>
    [...open.values()].filter((port) => ports.length === 0 || (port !== undefined && ports.includes(port)))
      .length;
  return { connections: count(sockets), streams: count(streams) };
}

/** Fails when a server that has stopped still has connections or streams on these ports. */
export async function expectClosed(...ports: number[]): Promise<void> {
  const closed = (): boolean => Object.values(openOnServers(...ports)).every((count) => count === 0);
  if (await until(closed)) return;
  const { connections, streams: open } = openOnServers(...ports);
  throw new Error(`the server has stopped, with ${connections} connections and ${open} streams left open`);
}

/**
 * Runs this, which disposes what it opens, and fails when more is open afterwards than before: timers that keep
 * the process alive, sockets, servers, file handles, and connections and streams on servers of this process.
 * What is closed takes a few turns of the event loop to go; what is still there after a thousand of them stays.
 */
export async function expectNoLeaks<T>(run: () => Promise<T>): Promise<T> {
  const before = openNow();
  const result = await run();
  await until(() => leaksSince(before).length === 0);
  const leaks = leaksSince(before);
  if (leaks.length > 0) throw new Error(`left open: ${leaks.join(", ")}`);
  return result;
}

/** Resolves with whether this came true within a thousand turns of the event loop. */
export async function until(condition: () => boolean): Promise<boolean> {
  for (let turn = 0; turn < 1000 && !condition(); turn += 1) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return condition();
}

/** Work that ends by itself, of the test runner among others. */
const PASSING: ReadonlySet<string> = new Set(["Immediate", "TickObject", "FSReqPromise", "FSReqCallback"]);

function openNow(): Map<string, number> {
  const { connections, streams: open } = openOnServers();
  const counts = new Map([
    ["server connections", connections],
    ["server streams", open],
  ]);
  for (const kind of process.getActiveResourcesInfo()) {
    if (!PASSING.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

function leaksSince(before: ReadonlyMap<string, number>): string[] {
  return [...openNow()].flatMap(([kind, count]) => {
    const more = count - (before.get(kind) ?? 0);
    return more > 0 ? [`${more} ${kind}`] : [];
  });
}
