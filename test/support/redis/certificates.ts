import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** A certificate and its key, as files and as PEM. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** A CA for one test, with certificates for 127.0.0.1 and localhost and for a client. Valid for a day. */
export interface Certificates extends AsyncDisposable {
  readonly caFile: string;
  readonly ca: string;
  readonly server: Certificate;
  readonly client: Certificate;
}

const run = promisify(execFile);

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Makes new ones with the `openssl` on PATH; the files are removed in the end. */
export async function createCertificates(): Promise<Certificates> {
  const directory = await mkdtemp(join(tmpdir(), "recollect-certificates-"));
  const openssl = (...args: string[]) => run("openssl", args, { cwd: directory });
  const file = (name: string): string => join(directory, name);
  const read = (name: string): Promise<string> => readFile(file(name), "utf8");

  const sign = async (name: string, extensions: string): Promise<Certificate> => {
    const [key, cert] = [`${name}.key`, `${name}.crt`];
    await writeFile(file(`${name}.ext`), extensions);
    await openssl("req", ...KEY, "-keyout", key, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    const authority = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
    await openssl(
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      ...authority,
      "-out",
      cert,
      "-days",
      "1",
      "-extfile",
      `${name}.ext`,
    );
    return { certFile: file(cert), keyFile: file(key), cert: await read(cert), key: await read(key) };
  };
  await openssl(
    "req",
    "-x509",
    ...KEY,
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
    "-days",
    "1",
    "-subj",
    "/CN=authority",
  );
  return {
    caFile: file("ca.crt"),
    ca: await read("ca.crt"),
    server: await sign("server", "subjectAltName=DNS:localhost,IP:127.0.0.1\n"),
    client: await sign("client", "extendedKeyUsage=clientAuth\n"),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}
