/** 32 random bytes, made at the first start and kept with the data: what opaque tokens are signed with. */
export interface ServerSecret {
  read(): Promise<Uint8Array>;
}
