/** What a connection is made with, PEM; as node:tls takes it, whole. */
export interface TlsContext {
  /** The server's certificate, and those that lead to its authority. */
  readonly cert: string;
  readonly key: string;
  /** Certificate authorities of clients; undefined: clients show no certificate. */
  readonly ca: string | undefined;
  readonly minVersion: "TLSv1.2";
}

/** The certificates in use. They may change while the server runs; whether clients must show one does not. */
export interface Tls {
  context(): TlsContext;
  /** Calls this with each context that takes the place of another, from now on. */
  onChange(listener: (context: TlsContext) => void): void;
  /** Warnings for operators, without secrets. */
  warnings(): readonly string[];
}
