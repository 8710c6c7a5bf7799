/**
 * Answers of a provider, as they are meant. How they are written: `read_answer.ts`, `build_answer.ts`.
 */
import type { PublishedPort } from "../ports.ts";
import type { ErrorType } from "./error_type.ts";

/** What any answer may say besides; old clients ignore it. */
export interface AnswerOptions {
  /** That of the request. */
  readonly requestId?: string;
}

/** Money that comes back with an answer. Secret: whoever reads the token has it. */
export interface Refund {
  /** One token; or one of each mint that paid in, with spaces between. */
  readonly token: string;
  readonly amountSat: number;
}

/** What is told of a lease in several answers. */
export interface LeaseFacts {
  /** `<provider>:container-<n>:<seconds>`. */
  readonly leaseId?: string;
  /** `SHA256:…`, as OpenSSH shows it. */
  readonly hostKeyFingerprint?: string;
}

/** A lease is ready, or a place as standby is reserved. */
export interface AccessAnswer extends AnswerOptions, LeaseFacts {
  readonly type: "access";
  /** `container-<n>`, or `standby-slot-<workload>`. */
  readonly lease: string;
  /** Where SSH is reached; 0 for a reservation. */
  readonly sshPort: number;
  readonly expiresMs: number;
  readonly cpuMillicores: number;
  readonly memoryMb: number;
  readonly specName: string;
  readonly specDescription: string;
  /** Lines for people; with `accessInstructions()` old clients find what they look for. */
  readonly instructions: readonly string[];
  readonly host?: string;
  readonly ports?: readonly PublishedPort[];
  /** When SSH answered, and the paid time began. */
  readonly readyMs?: number;
  readonly sshUsername?: string;
  readonly refund?: Refund;
}

/** A lease lasts longer now. */
export interface TopUpAnswer extends AnswerOptions, LeaseFacts {
  readonly type: "topup";
  readonly lease: string;
  readonly extendedS: number;
  readonly expiresMs: number;
  readonly message: string;
}

/** How a lease is doing. */
export interface StatusAnswer extends AnswerOptions, LeaseFacts {
  readonly type: "status";
  /** `container-<n>`; on the wire the bare number, as Paygress has it. */
  readonly lease: string;
  /** Paygress knows `Running` and `Expired`. */
  readonly status: string;
  readonly expiresMs: number;
  readonly remainingS: number;
  readonly cpuMillicores: number;
  readonly memoryMb: number;
  readonly sshHost: string;
  readonly sshPort: number;
  readonly sshUsername: string;
  /** The exact state, in the words of the provider's journal. */
  readonly state?: string;
  readonly ports?: readonly PublishedPort[];
}

/** It was not done. */
export interface ErrorAnswer extends AnswerOptions {
  readonly type: "error";
  readonly error: ErrorType | "unknown";
  /** The string on the wire, when it is another than `error`. */
  readonly errorName?: string;
  readonly message: string;
  readonly details?: string;
  readonly refund?: Refund;
  /** When the same request may succeed, in milliseconds from now. */
  readonly retryMs?: number;
}

/** What a lease would cost, and under which terms. */
export interface QuoteAnswer extends AnswerOptions {
  readonly type: "quote";
  readonly specId: string;
  readonly rateMsatPerS: number;
  readonly durationS: number;
  /** What buys the duration, redemption fees of the mint not included. */
  readonly amountSat: number;
  readonly minDurationS: number;
  readonly maxDurationS?: number;
  readonly mints: readonly string[];
  /** The key that a token is to be locked to, 66 hex digits. */
  readonly paymentKey: string;
  /** The least minutes that the lock must hold. */
  readonly locktimeMin: number;
  readonly isAvailable: boolean;
  /** Why not, or what to expect. */
  readonly note?: string;
  /** Whether the image is here already. */
  readonly isImageHere?: boolean;
}

/** A lease was ended. */
export interface StopAnswer extends AnswerOptions, LeaseFacts {
  readonly type: "stop";
  readonly lease: string;
  readonly endedMs: number;
  /** What the whole sats left over gave; absent when there were none. */
  readonly refund?: Refund;
}

/** The processes of a lease were started anew. */
export interface RestartAnswer extends AnswerOptions {
  readonly type: "restart";
  readonly lease: string;
  readonly readyMs: number;
}

/** What a lease printed. */
export interface LogsAnswer extends AnswerOptions {
  readonly type: "logs";
  readonly lease: string;
  /** As it came, control characters included. */
  readonly text: string;
  readonly isTruncated: boolean;
}

/** How a command ended. */
export interface ExecAnswer extends AnswerOptions {
  readonly type: "exec";
  readonly lease: string;
  /** As it came, control characters included. */
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
  readonly isTruncated: boolean;
}

/** One of the requester's leases. */
export interface LeaseSummary {
  readonly lease: string;
  readonly leaseId: string;
  readonly state: string;
  readonly specId: string;
  readonly image: string;
  readonly expiresMs: number;
  readonly sshHost: string;
  readonly sshPort: number;
  readonly hostKeyFingerprint?: string;
}

/** The leases of the requester. */
export interface LeasesAnswer extends AnswerOptions {
  readonly type: "leases";
  readonly leases: readonly LeaseSummary[];
  /** Whether there are more than fit. */
  readonly isTruncated: boolean;
}

/** A receipt, signed by the provider and perhaps by both. */
export interface ReceiptAnswer extends AnswerOptions {
  readonly type: "receipt";
  readonly leaseId: string;
  readonly receipt: Readonly<Record<string, unknown>>;
}

/** How far a request has got; only when it asked for it. */
export interface ProgressAnswer extends AnswerOptions {
  readonly type: "progress";
  /** A state of the lease, in the words of the provider's journal. */
  readonly state: string;
  readonly bytes?: number;
  readonly size?: number;
}

/** Something about a lease that nobody asked now; only to those who asked for progress. */
export interface NoticeAnswer extends AnswerOptions {
  readonly type: "notice";
  readonly lease: string;
  readonly notice: "expiring" | "draining" | "ended";
  readonly expiresMs: number;
  readonly message: string;
}

/** Verbs that Paygress does not have. */
export type OwnAnswer =
  | QuoteAnswer
  | StopAnswer
  | RestartAnswer
  | LogsAnswer
  | ExecAnswer
  | LeasesAnswer
  | ReceiptAnswer
  | ProgressAnswer
  | NoticeAnswer;

/** Anything that a provider says. */
export type Answer = AccessAnswer | TopUpAnswer | StatusAnswer | ErrorAnswer | OwnAnswer;
