import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestCertificate } from "./certificates.ts";

/** Contents of the TLS files; without authorities no client certificate is requested. */
export interface TlsContent extends TestCertificate {
  readonly clientCa?: string;
}

/** TLS files, and the variables that name them. */
export interface TlsFolder extends AsyncDisposable {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

export async function tlsFolder(content: TlsContent): Promise<TlsFolder> {
  const path = await mkdtemp(join(tmpdir(), "recollect-tls-"));
  await replaceTls(path, content);
  return {
    path,
    env: {
      TLS_CERT_FILE: join(path, "cert.pem"),
      TLS_KEY_FILE: join(path, "key.pem"),
      ...(content.clientCa === undefined ? {} : { TLS_CLIENT_CA_FILE: join(path, "client-ca.pem") }),
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** Replaces the files. */
export async function replaceTls(
  folder: string,
  { cert, key, clientCa }: Partial<TlsContent>,
): Promise<void> {
  for (const [name, text] of Object.entries({ cert, key, "client-ca": clientCa })) {
    if (text === undefined) continue;
    const path = join(folder, `${name}.pem`);
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  }
}
