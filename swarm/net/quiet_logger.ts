/**
 * A libp2p logger that formats nothing: the packages log several lines per frame, and even switched
 * off their own logger costs a scope per stream. Errors go on when somebody listens.
 */
import type { ComponentLogger, Logger } from "../libp2p.ts";

/** @param onError Told the component, the format and its arguments. */
export function quietLogger(
  onError?: (component: string, format: unknown, args: readonly unknown[]) => void,
): ComponentLogger {
  return { forComponent: (name) => logger(name) };

  function logger(name: string): Logger {
    const log = (() => {}) as unknown as Logger;
    log.enabled = false;
    log.trace = () => {};
    log.error = onError === undefined
      ? () => {}
      : (format: unknown, ...args: unknown[]) => onError(name, format, args);
    // One logger per component, however many streams it has.
    log.newScope = () => log;
    return log;
  }
}
