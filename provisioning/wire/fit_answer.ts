/** Answers that may be too long for a private message, made shorter: they say so themselves. */
import { PRIVATE_LIMITS, privateSizeOf } from "../../src/nostr/mod.ts";
import type { Answer, ExecAnswer, LogsAnswer } from "./answer.ts";
import { WIRE_LIMITS } from "./limits.ts";

/** What is left of a part at each step. */
const STEP = 3 / 4;

/**
 * The answer, or as much of it as fits: of a log the last lines, of output the beginning, of leases the
 * first. How long a text becomes is known only once it is written, since control characters of a
 * program's output take seven bytes each.
 */
export function fitAnswer(answer: Answer, write: (answer: Answer) => string): string {
  let fitting = limited(answer);
  for (;;) {
    const text = write(fitting);
    if (privateSizeOf(text) <= PRIVATE_LIMITS.sentBytesMax) return text;
    const shorter = shortened(fitting);
    if (shorter === undefined) return text;
    fitting = shorter;
  }
}

/** What a reader would not take in any case. */
function limited(answer: Answer): Answer {
  if (answer.type !== "leases" || answer.leases.length <= WIRE_LIMITS.leaseCountMax) return answer;
  return {
    ...answer,
    leases: answer.leases.slice(0, WIRE_LIMITS.leaseCountMax),
    isTruncated: true,
  };
}

/** @returns Undefined if there is nothing left that could be shortened. */
function shortened(answer: Answer): Answer | undefined {
  switch (answer.type) {
    case "logs":
      return answer.text === "" ? undefined : shortenedLogs(answer);
    case "exec":
      return answer.stdout === "" && answer.stderr === "" ? undefined : shortenedOutput(answer);
    case "leases":
      return answer.leases.length === 0 ? undefined : {
        ...answer,
        leases: answer.leases.slice(0, Math.floor(answer.leases.length * STEP)),
        isTruncated: true,
      };
    default:
      return undefined;
  }
}

function shortenedLogs(answer: LogsAnswer): LogsAnswer {
  const left = Math.floor(answer.text.length * STEP);
  const text = answer.text.slice(answer.text.length - left).toWellFormed();
  return { ...answer, text, isTruncated: true };
}

function shortenedOutput(answer: ExecAnswer): ExecAnswer {
  const { stdout, stderr } = answer;
  const cut = (text: string) => text.slice(0, Math.floor(text.length * STEP)).toWellFormed();
  return stdout.length >= stderr.length
    ? { ...answer, stdout: cut(stdout), isTruncated: true }
    : { ...answer, stderr: cut(stderr), isTruncated: true };
}
