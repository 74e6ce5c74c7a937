import { isIP } from "node:net";

/** The type of a setting: parses its text, and describes valid values. */
export interface Kind<T> {
  /** Ends the sentence "must be ...". */
  readonly expects: string;
  /** The value; undefined for an invalid text. */
  readonly read: (text: string) => T | undefined;
  /** A hint for certain invalid texts. */
  readonly hint?: (text: string) => string | undefined;
  /** Accepts a YAML sequence; for other kinds a list is a type error. */
  readonly list?: boolean;
}

export const text: Kind<string> = { expects: "some text", read: (given) => given };

export const boolean: Kind<boolean> = {
  expects: "true or false",
  read: (given) => {
    const word = given.trim().toLowerCase();
    if (["true", "yes", "on", "1"].includes(word)) return true;
    return ["false", "no", "off", "0"].includes(word) ? false : undefined;
  },
};

export function integer(min: number, max: number): Kind<number> {
  return {
    expects: `a whole number from ${min} to ${max}`,
    read: (given) => within(given, /^[+-]?\d+$/, min, max),
  };
}

export function number(min: number, max: number): Kind<number> {
  return {
    expects: `a number from ${min} to ${max}`,
    read: (given) => within(given, /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, min, max),
  };
}

function within(given: string, form: RegExp, min: number, max: number): number | undefined {
  const trimmed = given.trim();
  const value = form.test(trimmed) ? Number(trimmed) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}

/** A port to listen on, where 0 means any free port, or a port to connect to. */
export function port(min: 0 | 1): Kind<number> {
  return {
    ...integer(min, 65_535),
    hint: (given) =>
      given.startsWith("tcp://")
        ? "Kubernetes sets this name for a Service; `enableServiceLinks: false` in the pod ends that"
        : undefined,
  };
}

/** An enum of words, case-insensitive. */
export function word<const T extends string>(...words: readonly T[]): Kind<T> {
  return {
    expects: words.join(" or "),
    read: (given) => words.find((one) => one.toLowerCase() === given.trim().toLowerCase()),
  };
}

/** A list of values of a kind, separated by commas. */
export function listOf<T>(kind: Kind<T>): Kind<readonly T[]> {
  return {
    expects: `a list, separated by commas, each ${kind.expects}`,
    list: true,
    read: (given) => {
      const values = given
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== "")
        .map(kind.read);
      return values.every((value) => value !== undefined) ? (values as T[]) : undefined;
    },
  };
}

/** The address of an HTTP service. */
export const httpUrl: Kind<string> = {
  expects: "a URL that begins with http:// or https://",
  read: (given) => {
    const url = URL.parse(given.trim());
    return url !== null && /^https?:$/.test(url.protocol) && isBare(url) ? given.trim() : undefined;
  },
  hint: (given) => {
    const url = URL.parse(given.trim());
    return url === null || isBare(url)
      ? undefined
      : "with no user, password or anything behind ? or #: a key is a setting of its own";
  },
};

function isBare({ username, password, search, hash }: URL): boolean {
  return username + password + search + hash === "";
}

/** A value of the Origin header, or `*`. */
export const origin: Kind<string> = {
  expects: "an origin such as https://app.example (no path, no slash at its end), or *",
  read: (given) => (given === "*" || URL.parse(given)?.origin === given ? given : undefined),
};

/** `host:port`. */
export interface Node {
  readonly host: string;
  readonly port: number;
}

export const node: Kind<Node> = {
  expects: "host:port",
  read: (given) => {
    const [, host = "", digits = ""] = /^(\[[0-9a-f:.]+\]|[^\s:/@]+):(\d+)$/i.exec(given) ?? [];
    const value = port(1).read(digits);
    const bare = host.replace(/^\[(.*)\]$/, "$1");
    return value === undefined || (bare !== host && isIP(bare) !== 6)
      ? undefined
      : { host: bare, port: value };
  },
};

/** The parts of a Redis URL. */
export interface RedisUrl extends Node {
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly db: number | undefined;
}

export const redisUrl: Kind<RedisUrl> = {
  expects: "a URL such as redis://user:password@host:6379, or rediss:// for TLS",
  hint: (given) =>
    /[?#]/.test(given)
      ? "nothing stands behind ? or #: each option has a setting; in a password they are written %3F and %23"
      : undefined,
  read: (given) => {
    const url = URL.parse(given.trim());
    const [, db] = /^\/?(\d*)$/.exec(url?.pathname ?? "-") ?? [];
    if (url === null || !/^rediss?:$/.test(url.protocol) || url.hostname === "" || db === undefined) {
      return undefined;
    }
    if (url.search + url.hash !== "") return undefined;
    try {
      return {
        host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
        port: url.port === "" ? 6379 : Number(url.port),
        tls: url.protocol === "rediss:",
        username: decodeURIComponent(url.username) || undefined,
        password: decodeURIComponent(url.password) || undefined,
        db: db === "" ? undefined : Number(db),
      };
    } catch {
      // A malformed percent-encoding in the user or password.
      return undefined;
    }
  },
};
