/** Options that every client command takes. */
export interface GlobalOptions {
  /** The server's gRPC endpoint, `host:port`, or `https://host:port` with TLS. */
  readonly address: string;
  /** The API key; undefined: that of RECOLLECT_API_KEY, if any. */
  readonly apiKey?: string;
  /** PEM files: authorities of the server certificate (undefined: those that Node trusts); client certificate and key. */
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  /** Empty: the server's default. */
  readonly namespace: string;
  /** Print JSON, one object a line, instead of text for people. */
  readonly json?: boolean;
  /** Print only results and errors. */
  readonly quiet?: boolean;
}
