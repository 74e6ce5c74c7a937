/** 32 random bytes, made at the first start and stored with the data; the key that signs opaque tokens. */
export interface ServerSecret {
  /** Changes when the stored data is replaced: read it with each call. */
  read(): Uint8Array;
}
