import { integer, number } from "../kinds.ts";
import { setting } from "../setting.ts";

/** Resource limits. */
export const LIMIT_SETTINGS = {
  maxConcurrentCalls: setting({
    env: "MAX_CONCURRENT_CALLS",
    yaml: "limits.max_concurrent_calls",
    kind: integer(1, 100_000),
    fallback: 1000,
    description:
      "Calls that run at once, of all tenants; the next one is refused. Tenants share them fairly when they run out.",
  }),
  maxOpenStreams: setting({
    env: "MAX_OPEN_STREAMS",
    yaml: "limits.max_open_streams",
    kind: integer(1, 100_000),
    fallback: 1000,
    description: "The same for calls that stream, such as imports and exports, but not for watches.",
  }),
  maxWatches: setting({
    env: "MAX_WATCHES",
    yaml: "limits.max_watches",
    kind: integer(1, 10_000),
    fallback: 100,
    description:
      "WatchMemories and WatchCompaction streams of one tenant that are open at once on this server; the next one is refused.",
  }),
  maxUnfinishedMib: setting({
    env: "MAX_UNFINISHED_MIB",
    yaml: "limits.max_unfinished_mib",
    kind: integer(16, 65_536),
    fallback: 256,
    description:
      "MiB that requests may take in all while they arrive. Credentials share them fairly when they run out.",
  }),
  maxUnfinishedMibPerConnection: setting({
    env: "MAX_UNFINISHED_MIB_PER_CONNECTION",
    yaml: "limits.max_unfinished_mib_per_connection",
    kind: integer(16, 65_536),
    fallback: 32,
    description: "The same for one connection.",
  }),
  requestReceiveTimeout: setting({
    env: "REQUEST_RECEIVE_TIMEOUT",
    yaml: "limits.request_receive_timeout",
    kind: number(1, 3600),
    fallback: 30,
    description: "Seconds within which a request must arrive whole.",
  }),
  streamIdleTimeout: setting({
    env: "STREAM_IDLE_TIMEOUT",
    yaml: "limits.stream_idle_timeout",
    kind: number(1, 86_400),
    fallback: 60,
    description: "Seconds within which the next message of a request stream must arrive.",
  }),
};
