/** What a connection is made with, PEM; as node:tls takes it, whole. */
export interface TlsContext {
  /** The server's certificate, and those that lead to its authority. */
  readonly cert: string;
  readonly key: string;
  /** Who must have signed the certificate that a client shows; undefined: none is asked for. */
  readonly ca: string | undefined;
  readonly minVersion: "TLSv1.2";
}

/** The certificates that hold now. They may change while the server runs; whether clients are asked for theirs does not. */
export interface Tls {
  context(): TlsContext;
  /** Calls this with each context that takes the place of another, from now on. */
  onChange(listener: (context: TlsContext) => void): void;
  /** What an operator should know; holds nothing that a stranger must not read. */
  warnings(): readonly string[];
}
