/**
 * Known forms of keys and tokens. The forms are those that their issuers document; which ones occur, and how long they are,
 * was compared with the rules of gitleaks (https://github.com/gitleaks/gitleaks, config/gitleaks.toml, of July 2026).
 *
 * Each rule takes time in proportion to the text. A pattern begins with a literal, and what it repeats is bounded, or ends
 * at a character that no second match can begin before.
 */
export interface SecretRule {
  /** Such as `aws_access_key`: part of flags, markers and errors. */
  readonly name: string;
  /** Literals of which a text with such a secret contains one; in lower case when `anyCase`. */
  readonly hints: readonly string[];
  readonly anyCase?: true;
  /** The secrets in a text, in order; they may overlap. */
  readonly find: (text: string) => Span[];
}

/** Characters of a text, from `start` until `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** In order of precedence: of two that overlap, the first names the secret. */
export const SECRET_RULES: readonly SecretRule[] = [
  { name: "private_key", hints: ["-----BEGIN "], find: findPrivateKeys },
  // Not the keys of the documentation of AWS, which end in EXAMPLE.
  rule("aws_access_key", ["AKIA", "ASIA", "ABIA", "ACCA"], /(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![\w-])/g, {
    accept: (secret) => !secret.endsWith("EXAMPLE"),
  }),
  rule("aws_bedrock_key", ["ABSK"], /ABSK[A-Za-z0-9+/]{109,269}={0,2}(?![\w+/])/g),
  rule("google_api_key", ["AIza"], /AIza[\w-]{35}(?![\w-])/g),
  rule("google_oauth_secret", ["GOCSPX-", "ya29."], /(?:GOCSPX-[\w-]{28}|ya29\.[\w-]{30,300})(?![\w-])/g),
  rule("azure_client_secret", ["Q~"], /(?<![\w.~-])[\w.~-]{3}\dQ~[\w.~-]{31,34}(?![\w~-])/g),
  rule("azure_storage_key", ["AccountKey="], /AccountKey=(?<secret>[A-Za-z0-9+/]{86}==)/g),
  rule("azure_sas", ["sig="], /[?&;]sig=(?<secret>[A-Za-z0-9%+/]{40,120}(?:%3D|=){0,2})/g),
  rule(
    "github_token",
    ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
    /(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{82})(?![\w-])/g,
  ),
  rule(
    "gitlab_token",
    ["glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glsoat-", "gloas-", "glagent-"],
    /gl(?:pat|dt|rt|ptt|cbt|soat|oas|agent)-[\w-]{20,300}(?:\.[\w-]{2})?(?:\.[\w-]{9})?/g,
    { accept: isToken },
  ),
  rule("slack_token", ["xox", "xapp-"], /(?:xox[abeoprs]|xapp)[.-](?:[A-Za-z0-9.-]{20,300})/g, {
    accept: isToken,
  }),
  rule(
    "slack_webhook",
    ["hooks.slack.com/"],
    /hooks\.slack\.com\/(?<secret>(?:services|workflows|triggers)\/[A-Za-z0-9+/]{30,100})/g,
  ),
  rule("stripe_key", ["sk_", "rk_", "whsec_"], /(?:[sr]k_(?:test|live|prod)|whsec)_[A-Za-z0-9+/]{16,200}/g, {
    accept: isToken,
  }),
  rule("anthropic_key", ["sk-ant-"], /sk-ant-[\w-]{32,200}/g, { accept: isToken }),
  rule(
    "openai_key",
    ["sk-"],
    /(?<![\w-])sk-(?:(?:proj|svcacct|admin|None)-[\w-]{32,200}|[A-Za-z0-9]{32,64})(?![\w-])/g,
    { accept: isToken },
  ),
  rule("huggingface_token", ["hf_", "api_org_"], /(?<!\w)(?:hf|api_org)_[A-Za-z]{34}(?![\w-])/g),
  rule("npm_token", ["npm_"], /npm_[A-Za-z0-9]{36}(?![\w-])/g, { accept: isToken }),
  rule("pypi_token", ["pypi-AgE"], /pypi-AgE[\w-]{50,1000}/g),
  rule("sendgrid_key", ["SG."], /SG\.[\w-]{22}\.[\w-]{43}(?![\w-])/g),
  rule("shopify_token", ["shp"], /shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}(?!\w)/g),
  rule("digitalocean_token", ["_v1_"], /do[opr]_v1_[a-f0-9]{64}(?!\w)/g),
  rule("databricks_token", ["dapi"], /dapi[a-f0-9]{32}(?:-\d)?(?![\w-])/g),
  rule("docker_token", ["dckr_"], /dckr_(?:pat|oat)_[\w-]{27,64}(?![\w-])/g),
  rule("vault_token", ["hvs.", "hvb."], /(?<!\w)hv[sb]\.[\w-]{90,300}/g),
  rule("telegram_token", [":AA"], /(?<!\d)\d{8,10}:AA[\w-]{33}(?![\w-])/g),
  rule("age_key", ["AGE-SECRET-KEY-1"], /AGE-SECRET-KEY-1[A-Z0-9]{58}(?!\w)/g),
  // The boundary in front of it: each run of its characters is read once.
  rule("jwt", ["eyJ"], /(?<![\w-])eyJ[\w-]{10,}\.[\w-]{10,}\.(?:[\w-]{10,})?/g, { accept: hasJwtHeader }),
  rule("connection_string", ["://"], /:\/\/[^\s:@/?#"'<>]{0,64}:(?<secret>[^\s@/"'<>]{3,256})(?=@[\w.[-])/g, {
    accept: (secret) => !isPlaceholder(secret) && !/^(?:pass(?:word)?|pwd|secret|port)$/i.test(secret),
  }),
  rule("bearer_token", ["earer "], /[Bb]earer (?<secret>[\w.~+/-]{20,500}={0,2})/g, { accept: isRandom }),
  rule(
    "api_key",
    ["key", "token", "secret", "credential"],
    /(?:(?:api|access|auth|account|client|secret|private|signing|encryption)[\s_-]?(?:key|token|secret)|secret|credentials?)["'`]?(?:\s{0,3}(?::=|=>|=|:)\s{0,3}|\s{1,3}(?:is|was)\s{1,3})["'`]?(?=(?<ahead>[\w.~+/=-]{16,200}))/gi,
    { anyCase: true, accept: (secret) => isRandom(secret) && !CODE_PATH.test(secret) },
  ),
  rule(
    "password",
    ["passw", "passphrase", "passcode", "pwd", "contrase", "kennwort", "пароль", "密码"],
    /(?:passw(?:or[dt]|d)|pass(?:phrase|code)|pwd|contraseña|kennwort|пароль|密码)["'`]?(?:\s{1,3}(?:for|of|on)\s[^.!?:=\n]{1,40}?)?(?:\s{0,3}(?::=|=>|=|[:：])\s{0,3}|\s{1,3}(?:is|was|to|ist|es):?\s{1,3})["'`]?(?=(?<ahead>[^\s"'`,;<>(){}[\]|\\]{6,128})(?![(\w]))/gi,
    { anyCase: true, accept: isPassword },
  ),
];

const PASSWORD_NAME = /(?:passw(?:or[dt]|d)|pass(?:phrase|code)|pwd|contraseña|kennwort|пароль|密码)$/i;
const KEY_NAME =
  /(?:(?:api|access|auth|account|client|secret|private|signing|encryption)[\s_-]?(?:key|token|secret)|secret)$/i;

/** The rule that a value breaks because of the name that it has in metadata, such as `db_password`; undefined: none. */
export function ruleOfNamedValue(name: string, value: string): "password" | "api_key" | undefined {
  if (PASSWORD_NAME.test(name) && /^\S{6,128}$/.test(value) && isPassword(value)) return "password";
  return KEY_NAME.test(name) && /^[\w.~+/=-]{16,200}$/.test(value) && isRandom(value) ? "api_key" : undefined;
}

interface RuleOptions {
  readonly anyCase?: true;
  readonly accept?: (secret: string) => boolean;
}

/**
 * A rule by a pattern. The secret is its whole match, or the group `secret` at the end of the match, or the group `ahead` that
 * a lookahead finds behind it: the next match may then begin within it.
 */
function rule(
  name: string,
  hints: readonly string[],
  pattern: RegExp,
  { anyCase, accept = () => true }: RuleOptions = {},
): SecretRule {
  const find = (text: string): Span[] => {
    const spans: Span[] = [];
    for (const { 0: whole, index, groups } of text.matchAll(pattern)) {
      const until = index + whole.length;
      const { ahead, secret = whole } = groups ?? {};
      const span =
        ahead === undefined
          ? { start: until - secret.length, end: until }
          : { start: until, end: until + ahead.length };
      const end = withoutPunctuation(text, span);
      if (accept(text.slice(span.start, end))) spans.push({ start: span.start, end });
    }
    return spans;
  };
  return { name, hints, find, ...(anyCase === undefined ? {} : { anyCase }) };
}

/** The end of a span without the punctuation of its sentence. */
function withoutPunctuation(text: string, { start, end }: Span): number {
  let at = end;
  while (at > start && ".!?:".includes(text.charAt(at - 1))) at -= 1;
  return at;
}

const END_OF_KEY = "-----END ";

/** PEM blocks of private keys, also with escaped line ends, and those that are cut off. */
function findPrivateKeys(text: string): Span[] {
  const begins = [...text.matchAll(/-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g)];
  const found: Span[] = [];
  let end = 0;
  for (const [at, begin] of begins.entries()) {
    const from = begin.index + begin[0].length;
    const next = begins[at + 1]?.index ?? text.length;
    if (end !== -1 && end < from) end = text.indexOf(END_OF_KEY, from);
    if (end !== -1 && end < next) {
      const dashes = text.indexOf("-----", end + END_OF_KEY.length);
      const isKey = /[A-Za-z0-9+/=]{20}/.test(text.slice(from, end));
      if (isKey)
        found.push({ start: begin.index, end: dashes === -1 ? end : Math.min(dashes + 5, end + 80) });
    } else {
      const cut = endOfBase64(text, from);
      if (cut > from) found.push({ start: begin.index, end: cut });
    }
  }
  return found;
}

/** Where the lines of Base64 that begin at `from` end. */
function endOfBase64(text: string, from: number): number {
  const line = /(?:\s|\\[nr]){0,8}[A-Za-z0-9+/=]{20,}/y;
  let end = from;
  for (line.lastIndex = from; line.test(text); ) end = line.lastIndex;
  return end;
}

function hasJwtHeader(token: string): boolean {
  try {
    const header: unknown = JSON.parse(
      Buffer.from(token.slice(0, token.indexOf(".")), "base64url").toString(),
    );
    return typeof header === "object" && header !== null && ("alg" in header || "enc" in header);
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Varied characters, as behind a known beginning: with a digit or in both cases, and none of them too often. */
function isToken(secret: string): boolean {
  const isVaried = /\d/.test(secret) || (/[a-z]/.test(secret) && /[A-Z]/.test(secret));
  return isVaried && entropy(secret) >= 3 && !isPlaceholder(secret);
}

/** The same without a known beginning: letters and digits. */
function isRandom(secret: string): boolean {
  return /\d/.test(secret) && /[A-Za-z]/.test(secret) && isToken(secret);
}

/** Shannon entropy in bits a character. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

/** What no word of a sentence looks like: letters with a digit or a sign in between. */
function isPassword(secret: string): boolean {
  return (
    secret.length >= 6 &&
    /\p{L}/u.test(secret) &&
    /[\d!@#$%^&*]/.test(secret) &&
    !isPlaceholder(secret) &&
    !CODE_PATH.test(secret) &&
    !NO_PASSWORD.test(secret)
  );
}

/** Such as `process.env.NAME`. */
const CODE_PATH = /^[A-Za-z_]\w{0,63}(?:\.[A-Za-z_]\w{0,63})+$/;

/** Addresses, and numbers with a unit, such as `8-characters`. */
const NO_PASSWORD = /:\/\/|^[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{2,64}$|^\d{1,3}[-_+]?[a-z]+$/i;

const PLACEHOLDER = /^(?:your|example|placeholder|redacted|dummy|x{3}|\*{3}|\.{3}|\$|%|<|\{|\[)|\[redacted:/i;

function isPlaceholder(secret: string): boolean {
  return PLACEHOLDER.test(secret) || /^(.)\1*$/.test(secret);
}
