import { seededRandom } from "./builders.ts";

const LOWER = "abcdefghijklmnopqrstuvwxyz";
const UPPER = LOWER.toUpperCase();
const DIGITS = "0123456789";
const HEX = `${DIGITS}abcdef`;
const ALPHANUMERIC = LOWER + UPPER + DIGITS;
const WORD = `${ALPHANUMERIC}-_`;
const BASE64 = `${ALPHANUMERIC}+/`;

/** A text with a secret, labelled with the name of its form. */
export interface FakeSecret {
  readonly pattern: string;
  readonly text: string;
  /** The part that must not be stored. */
  readonly secret: string;
}

/**
 * Secrets of every known form, made of random characters when a test runs, so that the repository contains nothing that looks
 * like one. The seed determines them.
 */
export function fakeSecrets(seed: number): readonly FakeSecret[] {
  const random = seededRandom(seed);
  const some = (count: number, alphabet: string): string =>
    Array.from({ length: count }, () => alphabet[Math.floor(random() * alphabet.length)]).join("");
  const join = (...parts: readonly string[]): string => parts.join("");
  const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const pem = (label: string, lineEnd: string): string =>
    [
      join("-----BEGIN ", label, "PRIVATE ", "KEY-----"),
      ...Array.from({ length: 5 }, () => some(64, BASE64)),
      join("-----END ", label, "PRIVATE ", "KEY-----"),
    ].join(lineEnd);
  const found = (pattern: string, secret: string, around = (value: string) => `use ${value} for it`) => ({
    pattern,
    secret,
    text: around(secret),
  });
  const password = join(some(5, LOWER), some(3, DIGITS), "!", some(2, UPPER));
  return [
    found("aws_access_key", join("AK", "IA", some(16, `${UPPER}234567`))),
    found(
      "aws_access_key",
      join("AS", "IA", some(16, `${UPPER}234567`)),
      (key) => `AWS_ACCESS_KEY_ID=${key}`,
    ),
    found("api_key", some(40, BASE64), (key) => `aws_secret_access_key = ${key}`),
    found("aws_bedrock_key", join("AB", "SK", some(120, BASE64), "==")),
    found("google_api_key", join("AI", "za", some(35, WORD))),
    found("google_oauth_secret", join("GOC", "SPX-", some(28, WORD))),
    found("azure_client_secret", join(some(3, ALPHANUMERIC), "8", "Q~", some(34, WORD))),
    found("azure_storage_key", join(some(86, BASE64), "=="), (key) =>
      join("AccountName=a;Account", "Key=", key, ";"),
    ),
    found("azure_sas", join(some(43, ALPHANUMERIC), "%3D"), (key) =>
      join("https://a.blob.core.windows.net/b?sv=2024&si", "g=", key),
    ),
    found("github_token", join("gh", "p_", some(36, ALPHANUMERIC))),
    found(
      "github_token",
      join("gh", "s_", some(36, ALPHANUMERIC)),
      (key) => `https://x-access-token:${key}@github.com/a/b`,
    ),
    found("github_token", join("github", "_pat_", some(22, ALPHANUMERIC), "_", some(59, ALPHANUMERIC))),
    found("gitlab_token", join("gl", "pat-", some(20, WORD))),
    found("gitlab_token", join("gl", "pat-", some(27, WORD), ".01.", some(9, LOWER + DIGITS))),
    found(
      "slack_token",
      join("xo", "xb-", some(12, DIGITS), "-", some(12, DIGITS), "-", some(24, ALPHANUMERIC)),
    ),
    found(
      "slack_webhook",
      join("services/T", some(8, UPPER), "/B", some(8, UPPER), "/", some(24, ALPHANUMERIC)),
      (key) => join("https://hooks.", "slack.com/", key),
    ),
    found("stripe_key", join("sk_", "live_", some(24, ALPHANUMERIC))),
    found("stripe_key", join("wh", "sec_", some(32, ALPHANUMERIC))),
    found("openai_key", join("sk", "-proj-", some(74, WORD), "T3Blbk", "FJ", some(74, ALPHANUMERIC))),
    found(
      "openai_key",
      join("sk", "-", some(20, ALPHANUMERIC), "T3Blbk", "FJ", some(20, ALPHANUMERIC)),
      (key) => `OPENAI_API_KEY="${key}"`,
    ),
    found("anthropic_key", join("sk-", "ant-api03-", some(93, WORD), "AA")),
    found("huggingface_token", join("h", "f_", some(34, LOWER + UPPER))),
    found(
      "npm_token",
      join("np", "m_", some(36, ALPHANUMERIC)),
      (key) => `//npm.example.com/:_authToken=${key}`,
    ),
    found("pypi_token", join("py", "pi-AgE", "IcHlwaS5vcmc", some(100, WORD))),
    found("sendgrid_key", join("S", "G.", some(22, WORD), ".", some(43, WORD))),
    found("shopify_token", join("shp", "at_", some(32, HEX))),
    found("digitalocean_token", join("do", "p_v1_", some(64, HEX))),
    found("databricks_token", join("da", "pi", some(32, HEX))),
    found("docker_token", join("dck", "r_pat_", some(27, WORD))),
    found("vault_token", join("hv", "s.", some(95, WORD))),
    found("telegram_token", join(some(10, "123456789"), ":A", "A", some(33, WORD))),
    found("age_key", join("AGE-SECRET", "-KEY-1", some(58, UPPER + DIGITS))),
    found(
      "jwt",
      join(encoded({ alg: "HS256", typ: "JWT" }), ".", encoded({ sub: "ana", iat: 1 }), ".", some(43, WORD)),
      (key) => `Authorization: Bearer ${key}`,
    ),
    found("private_key", pem("", "\n")),
    found("private_key", pem("RSA ", "\n")),
    found("private_key", pem("OPENSSH ", "\\n"), (key) => `{"private_key": "${key}\\n"}`),
    found("private_key", pem("EC ", "\n").slice(0, 150), (key) => `it begins with ${key}`),
    found("connection_string", password, (key) => join("postgres", "://ana:", key, "@db.example:5432/app")),
    found("connection_string", password, (key) =>
      join("mongodb+srv", "://ana:", key, "@cluster0.example.net/?w=1"),
    ),
    found("connection_string", password, (key) => join("redis", "://:", key, "@10.0.0.1:6379")),
    found(
      "bearer_token",
      some(40, ALPHANUMERIC),
      (key) => `curl -H "Authorization: Bearer ${key}" https://example.com`,
    ),
    found("api_key", some(32, ALPHANUMERIC), (key) => `the API key is ${key}.`),
    found("api_key", some(32, ALPHANUMERIC), (key) => `client_secret: "${key}"`),
    found("password", password, (key) => `my password is ${key}`),
    found("password", password, (key) => `The password for the wifi in the office is ${key}.`),
    found("password", password, (key) => `DB_PASSWORD=${key}`),
    found("password", password, (key) => `{"passwd": "${key}"}`),
    found("password", password, (key) => `Passwort: ${key}`),
    found("password", password, (key) => `пароль: ${key}`),
  ];
}

/** Texts about secrets, and texts that look a little like them, without any. */
export const NO_SECRETS: readonly string[] = [
  "The password must have at least 8 characters, one digit and one sign.",
  "password: 8-characters minimum",
  "I forgot my password again.",
  "My password is secret.",
  "Change the password to something longer!",
  "password = getpass.getpass()",
  'password = os.environ["DB_PASSWORD_2"]',
  "api_key = process.env.OPENAI_API_KEY_2",
  "api_key=$OPENAI_API_KEY1",
  "OPENAI_API_KEY=<your-key-1234567890abc>",
  "Set the secret key: your-secret-key-goes-here-123",
  "The password was reset on 2024-05-01.",
  "send the password to ana.smith2@example.com",
  "The secret of good tea is 3 minutes.",
  "The access token expires after 3600 seconds.",
  "Use Authorization: Bearer <token> in the header.",
  "postgres://user:password@localhost:5432/app",
  "https://example.com/a:b@c",
  "ssh://git@github.com/a/b.git",
  "the key 123e4567-e89b-12d3-a456-426614174000 of the row",
  "commit 15b3621ab00135dcbc0acec60c17d9ff5677bdf4",
  "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "the AKIA prefix is of access keys, ghp_ of GitHub's tokens, and sk- of OpenAI's",
  "AKIAIOSFODNN7EXAMPLE",
  "sk-learn-extension-for-time-series-of-many-kinds",
  "eyJ is how a JWT begins: eyJhbGciOi... and so on",
  "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END PUBLIC KEY-----",
  "A file that begins with -----BEGIN PRIVATE KEY----- must not be checked in.",
  "xoxo, Ana",
  "my dapi is d4p1",
  "Ana's passport number is in the drawer, and her pass for the gym is blue.",
  "The compass points north: 37N is right.",
  "They passed: 12 of 14.",
  "[redacted:password] was what he said",
];
