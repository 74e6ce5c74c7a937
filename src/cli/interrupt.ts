import process from "node:process";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";

/** Ctrl-C and SIGTERM while something is under way that should end tidily. The second one ends it at once. */
export interface Interrupt extends Disposable {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal;
  /** How the command ends then. */
  readonly exitCode: () => ExitCode;
}

const CODES = { SIGINT: EXIT_CODE.interrupted, SIGTERM: EXIT_CODE.terminated } as const;

/** Takes the signals until it is disposed; whoever asks must heed `signal`. */
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
