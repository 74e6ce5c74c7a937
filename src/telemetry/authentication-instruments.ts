import { type Meter, ValueType } from "@opentelemetry/api";
import type { AuthenticationMetrics, TlsMetrics } from "../ports/metrics.ts";

/** Metrics of API keys, anonymous access, and the server certificate. */
export function createAuthenticationInstruments(meter: Meter): AuthenticationMetrics & TlsMetrics {
  const gauge = (name: string, description: string): ((value: number) => void) => {
    const instrument = meter.createGauge(name, { description, valueType: ValueType.INT });
    instrument.record(0);
    return (value) => instrument.record(value);
  };
  const keys = gauge("recollect_api_keys", "Valid API keys; 0 unless AUTH_MODE=api_keys.");
  const refused = gauge(
    "recollect_api_keys_refused",
    "1 while the API key file is invalid and the previous keys stay valid; else 0.",
  );
  const open = gauge(
    "recollect_open_to_everyone",
    "1 while AUTH_MODE=none and ALLOW_UNAUTHENTICATED=true allow unauthenticated calls from other machines; else 0.",
  );
  const expires = gauge(
    "recollect_tls_certificate_expires_seconds",
    "When the certificate of both servers expires, in seconds since 1970; 0 without TLS.",
  );
  const filesRefused = gauge(
    "recollect_tls_files_refused",
    "1 while the files of TLS are wrong and the certificates that were read before hold; else 0.",
  );
  return {
    tlsCertificateExpires: expires,
    tlsFilesRefused: (isRefused) => filesRefused(isRefused ? 1 : 0),
    apiKeys: keys,
    apiKeysRefused: (isRefused) => refused(isRefused ? 1 : 0),
    openToEveryone: (isOpen) => open(isOpen ? 1 : 0),
  };
}
