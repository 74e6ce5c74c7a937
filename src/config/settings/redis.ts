import { boolean, integer, listOf, node, number, port, redisUrl, text, word } from "../kinds.ts";
import { setting } from "../setting.ts";

/** Connection, keys and indexes of Redis. */
export const REDIS = {
  redisUrl: setting({
    env: "REDIS_URL",
    yaml: "redis.url",
    kind: redisUrl,
    fallback: undefined,
    secret: "credentials",
    description:
      "redis:// or rediss://; wins over host, port and TLS, and over user, password and database where it names them.",
  }),
  redisHost: setting({
    env: "REDIS_HOST",
    yaml: "redis.host",
    kind: text,
    fallback: undefined,
    unset: "localhost",
    description: "Host of the Redis server.",
  }),
  redisPort: setting({
    env: "REDIS_PORT",
    yaml: "redis.port",
    kind: port(1),
    fallback: 6379,
    description: "Port of the Redis server.",
  }),
  redisDb: setting({
    env: "REDIS_DB",
    yaml: "redis.db",
    kind: integer(0, 65_535),
    fallback: 0,
    description: "Number of the database. Only 0 works: RediSearch indexes no other.",
  }),
  redisUsername: setting({
    env: "REDIS_USERNAME",
    yaml: "redis.username",
    kind: text,
    fallback: undefined,
    description: "User of Redis' access lists.",
  }),
  redisPassword: setting({
    env: "REDIS_PASSWORD",
    yaml: "redis.password",
    kind: text,
    fallback: undefined,
    secret: "all",
    description: "Password of the Redis server or user.",
  }),
  redisPrefix: setting({
    env: "REDIS_PREFIX",
    yaml: "redis.prefix",
    kind: text,
    fallback: "memory:",
    description: "What every key begins with. Two deployments on one Redis need two.",
  }),
  redisPoolSize: setting({
    env: "REDIS_POOL_SIZE",
    yaml: "redis.pool_size",
    kind: integer(1, 1000),
    fallback: 50,
    description:
      "Connections that commands to one Redis server may take at most. One is used, and the start says so: more were measured to be no faster, docs/operations/redis.md says how.",
  }),
  redisCompression: setting({
    env: "REDIS_COMPRESSION",
    yaml: "redis.compression",
    kind: boolean,
    fallback: false,
    description:
      "Whether records over 1 KiB are compressed when they are written (zstd). What is stored is read either way.",
  }),
  redisTopology: setting({
    env: "REDIS_TOPOLOGY",
    yaml: "redis.topology",
    kind: word("auto", "standalone", "sentinel", "cluster"),
    fallback: "auto",
    description: "What kind of Redis it is; auto finds out.",
  }),
  redisNodes: setting({
    env: "REDIS_NODES",
    yaml: "redis.nodes",
    kind: listOf(node),
    fallback: [],
    unset: "none",
    description: "Nodes of a cluster, or its Sentinels, as host:port separated by commas.",
  }),
  redisSentinelName: setting({
    env: "REDIS_SENTINEL_NAME",
    yaml: "redis.sentinel_name",
    kind: text,
    fallback: undefined,
    description: "Name of the primary that the Sentinels watch.",
  }),
  redisSentinelUsername: setting({
    env: "REDIS_SENTINEL_USERNAME",
    yaml: "redis.sentinel_username",
    kind: text,
    fallback: undefined,
    description: "User of the Sentinels' own access lists.",
  }),
  redisSentinelPassword: setting({
    env: "REDIS_SENTINEL_PASSWORD",
    yaml: "redis.sentinel_password",
    kind: text,
    secret: "all",
    fallback: undefined,
    description: "Password of the Sentinels or of their user.",
  }),
  redisTls: setting({
    env: "REDIS_TLS",
    yaml: "redis.tls",
    kind: boolean,
    fallback: false,
    description: "Whether Redis is spoken to over TLS; rediss:// in REDIS_URL says so too.",
  }),
  redisTlsCaFile: setting({
    env: "REDIS_TLS_CA_FILE",
    yaml: "redis.tls_ca_file",
    kind: text,
    fallback: undefined,
    unset: "the system's",
    description: "Authorities that Redis' certificate is checked with, PEM.",
  }),
  redisTlsCertFile: setting({
    env: "REDIS_TLS_CERT_FILE",
    yaml: "redis.tls_cert_file",
    kind: text,
    fallback: undefined,
    description: "Certificate shown to Redis, PEM.",
  }),
  redisTlsKeyFile: setting({
    env: "REDIS_TLS_KEY_FILE",
    yaml: "redis.tls_key_file",
    kind: text,
    fallback: undefined,
    description: "Private key of REDIS_TLS_CERT_FILE, PEM.",
  }),
  redisPartitions: setting({
    env: "REDIS_PARTITIONS",
    yaml: "redis.partitions",
    kind: integer(1, 1024),
    fallback: 16,
    description: "Parts that data is divided into on a cluster; fixed at the first start.",
  }),
  redisWaitReplicas: setting({
    env: "REDIS_WAIT_REPLICAS",
    yaml: "redis.wait_replicas",
    kind: integer(0, 10),
    fallback: 0,
    description:
      "Replicas that have to hold a change before it is acknowledged. 0: a failover may lose what no replica has yet.",
  }),
  redisSocketTimeout: setting({
    yaml: "redis.socket_timeout",
    kind: number(0.1, 300),
    fallback: 5,
    description:
      "Seconds to wait for an answer of Redis; a connection that is silent for that long is closed.",
  }),
  redisConnectTimeout: setting({
    yaml: "redis.socket_connect_timeout",
    kind: number(0.1, 300),
    fallback: 5,
    description: "Seconds to wait for a connection to Redis.",
  }),
  redisRetryOnTimeout: setting({
    yaml: "redis.retry_on_timeout",
    kind: boolean,
    fallback: true,
    description:
      "Whether what was not answered when the connection broke is sent once more: reads, and changes with a request_id.",
  }),
};
