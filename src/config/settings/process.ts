import { type Kind, text, word } from "../kinds.ts";
import { setting } from "../setting.ts";

const LEVELS = word("trace", "debug", "info", "warn", "error", "fatal");
const PYTHON_LEVELS = new Map([
  ["warning", "warn"],
  ["critical", "fatal"],
  ["notset", "trace"],
]);

/** LOG_LEVEL in any case, with the names that Python's logging uses. */
const logLevel: Kind<NonNullable<ReturnType<typeof LEVELS.read>>> = {
  expects: `${LEVELS.expects} (or Python's WARNING, CRITICAL, NOTSET)`,
  read: (given) => LEVELS.read(PYTHON_LEVELS.get(given.trim().toLowerCase()) ?? given),
};

/** The process: its files and its log. */
export const PROCESS = {
  configFile: setting({
    env: "RECOLLECT_CONFIG",
    kind: text,
    fallback: "config/memory_config.yaml",
    description: "The YAML file. A missing one is no error.",
  }),
  dataDir: setting({
    env: "DATA_DIR",
    kind: text,
    fallback: "./data",
    description: "Directory of the embedded store.",
  }),
  environment: setting({
    env: "ENVIRONMENT",
    kind: text,
    fallback: "development",
    description: "A name for where this runs; appears in every log line.",
  }),
  logLevel: setting({
    env: "LOG_LEVEL",
    kind: logLevel,
    fallback: "info",
    reloadable: true,
    description: "Least severe level that is logged, in any case.",
  }),
  logFormat: setting({
    env: "LOG_FORMAT",
    kind: word("json", "text"),
    fallback: undefined,
    unset: "text on a terminal, else json",
    description: "How log lines look.",
  }),
  logFile: setting({
    env: "LOG_FILE",
    kind: text,
    fallback: undefined,
    description: "Also write the log to this file, such as logs/app.log.",
  }),
};
