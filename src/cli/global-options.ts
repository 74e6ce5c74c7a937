/** Options that every client command takes. */
export interface GlobalOptions {
  /** The server's gRPC endpoint, `host:port`, or `https://host:port` when it speaks TLS. */
  readonly address: string;
  /** The key that calls are made with; undefined: that of RECOLLECT_API_KEY, if any. */
  readonly apiKey?: string;
  /** Files in PEM: who must have signed the server's certificate (undefined: whom Node trusts); the client's own. */
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  /** Empty: the server's default. */
  readonly namespace: string;
  /** Print JSON, one object a line, instead of text for people. */
  readonly json?: boolean;
  /** Say nothing but results and failures. */
  readonly quiet?: boolean;
}
