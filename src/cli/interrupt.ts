import process from "node:process";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";

/** Handles Ctrl-C and SIGTERM for a graceful end of the command. A second signal ends the process immediately. */
export interface Interrupt extends Disposable {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal;
  /** The exit code after a signal. */
  readonly exitCode: () => ExitCode;
}

const CODES = { SIGINT: EXIT_CODE.interrupted, SIGTERM: EXIT_CODE.terminated } as const;

/** Handles the signals until it is disposed; the caller must react to `signal`. */
export function catchInterrupt(): Interrupt {
  const controller = new AbortController();
  let exitCode: ExitCode = EXIT_CODE.interrupted;
  const release = (): void => {
    for (const name of Object.keys(CODES)) process.off(name, interrupt);
  };
  const interrupt = (name: NodeJS.Signals): void => {
    release();
    exitCode = CODES[name as keyof typeof CODES];
    controller.abort();
  };
  for (const name of Object.keys(CODES)) process.on(name, interrupt);
  return { signal: controller.signal, exitCode: () => exitCode, [Symbol.dispose]: release };
}
