import { boolean, listOf, origin, port, text, word } from "../kinds.ts";
import { setting } from "../setting.ts";

const HOST = "127.0.0.1 with AUTH_MODE=none, else 0.0.0.0";

/** Endpoints, TLS and authentication of the gRPC server and the HTTP server. */
export const ENDPOINTS = {
  grpcHost: setting({
    env: "GRPC_HOST",
    kind: text,
    fallback: undefined,
    unset: HOST,
    description: "Address that the gRPC server binds.",
  }),
  grpcPort: setting({
    env: "GRPC_PORT",
    kind: port(0),
    fallback: 50_051,
    description: "Port of the gRPC server; 0 takes a free one.",
  }),
  httpHost: setting({
    env: "HTTP_HOST",
    kind: text,
    fallback: undefined,
    unset: HOST,
    description: "Address that the HTTP server binds.",
  }),
  httpPort: setting({
    env: "HTTP_PORT",
    kind: port(0),
    fallback: 8000,
    description: "Port of the HTTP server; 0 takes a free one.",
  }),
  httpCorsOrigins: setting({
    env: "HTTP_CORS_ORIGINS",
    kind: listOf(origin),
    fallback: [],
    unset: "none",
    description: "Origins that browsers may call from, separated by commas; * for all.",
  }),
  authMode: setting({
    env: "AUTH_MODE",
    kind: word("none", "api_keys"),
    fallback: "none",
    description:
      "How callers are authenticated: none lets everyone in, api_keys asks for a key of AUTH_API_KEYS_FILE.",
  }),
  authApiKeysFile: setting({
    env: "AUTH_API_KEYS_FILE",
    kind: text,
    fallback: undefined,
    description:
      "File that holds the API keys of AUTH_MODE=api_keys; read again when it changes. docs/security.md says what it holds.",
  }),
  allowUnauthenticated: setting({
    env: "ALLOW_UNAUTHENTICATED",
    kind: boolean,
    fallback: false,
    description: "Lets AUTH_MODE=none bind addresses that other machines reach.",
  }),
  tlsCertFile: setting({
    env: "TLS_CERT_FILE",
    kind: text,
    fallback: undefined,
    description: "Certificate chain of both servers, PEM: they speak TLS alone. Read again when it changes.",
  }),
  tlsKeyFile: setting({
    env: "TLS_KEY_FILE",
    kind: text,
    fallback: undefined,
    description: "Private key of TLS_CERT_FILE, PEM, without a passphrase.",
  }),
  tlsClientCaFile: setting({
    env: "TLS_CLIENT_CA_FILE",
    kind: text,
    fallback: undefined,
    description:
      "Authorities whose client certificates are accepted, PEM; who shows none is refused. docs/security.md says what that means for probes.",
  }),
};
