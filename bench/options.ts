const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** The channel options of the service (src/transport/grpc/server.ts), so that the floor differs only by our code. */
export const SERVER_OPTIONS = {
  "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
  "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
  "grpc.max_concurrent_streams": 1000,
  "grpc.keepalive_time_ms": 60_000,
  "grpc.keepalive_timeout_ms": 20_000,
  "grpc.max_connection_idle_ms": 900_000,
} as const;

/** Each client opens a connection of its own; grpc-js would share one between clients of the same address. */
export const CLIENT_OPTIONS = {
  "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
  "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
  "grpc.use_local_subchannel_pool": 1,
} as const;

/** Messages are bytes on both sides, so that no encoding is measured. */
export const raw = (bytes: Buffer): Buffer => bytes;
