/** Options of node:tls for connections; texts in PEM. */
export interface TlsContext {
  /** The server's certificate and its intermediates. */
  readonly cert: string;
  readonly key: string;
  /** Certificate authorities of clients; undefined: clients need no certificate. */
  readonly ca: string | undefined;
  readonly minVersion: "TLSv1.2";
}

/** The certificates in use. They may change while the server runs; whether clients need a certificate does not. */
export interface Tls {
  context(): TlsContext;
  /** Calls `listener` with each new context. */
  onChange(listener: (context: TlsContext) => void): void;
  /** Warnings for operators, without secrets. */
  warnings(): readonly string[];
}
